#include "harness/sweep/sweep.h"

#include <algorithm>
#include <cmath>

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kSearchShare = 0.6;   // of a problem's time; the rest is for the heats
constexpr double kFinalShare = 0.2;    // kept for the finals
constexpr double kHeatsAtLeast = 0.2;  // of it, however late the search ended
constexpr std::size_t kKept = 3;       // of a problem, for its neighbours to begin with

json to_json(const RoundReply& reply) {
  json value = {{"ns", reply.ns}, {"stolen", reply.stolen}};
  if (!reply.doubled_ns.empty()) value["doubled_ns"] = reply.doubled_ns;
  if (reply.failed >= 0) {
    value["failed"] = reply.failed;
    value["failure"] = to_string(reply.failure);
  }
  return value;
}

RoundReply round_from(const json& value) {
  RoundReply reply;
  value.at("ns").get_to(reply.ns);
  reply.stolen = value.at("stolen").get<bool>();
  if (value.contains("doubled_ns")) value["doubled_ns"].get_to(reply.doubled_ns);
  if (value.contains("failed")) {
    value["failed"].get_to(reply.failed);
    reply.failure =
        parse_outcome(value.at("failure").get<std::string>()).value_or(Outcome::runtime);
  }
  return reply;
}

double weight(const Group& group) {
  double sum = 0;
  for (const FamilyPlan& plan : group.families) sum += plan.weight;
  return sum;
}

TunerRules tuner_rules() {
  TunerRules rules;
  rules.most_racers = 2 * (kMaxArms - 1);
  rules.final.doubled = true;
  rules.final.looks = Looks::of_a_final();
  rules.finals = 3;
  return rules;
}

}  // namespace

Sweep::Sweep(const SweepOptions& options, std::vector<Group> groups, const DeviceInfo& device,
             Journal& journal, Worker* worker, BuildAhead* ahead, std::function<bool()> interrupted,
             std::function<void(const SweepProgress&)> progress)
    : options_(options),
      groups_(std::move(groups)),
      device_(device),
      journal_(journal),
      worker_(worker),
      ahead_(ahead),
      interrupted_(std::move(interrupted)),
      progress_(std::move(progress)) {
  problems_ = options_.problems.size();
}

json Sweep::ask(const std::string& tag, const std::function<json()>& live) {
  if (interrupted_()) throw Interrupted{};
  json reply = journal_.ask(tag, live);
  const double elapsed = journal_.elapsed();
  progress_(
      {decided_.size(), problems_, elapsed, std::max(options_.budget_s - elapsed, 0.0), doing_});
  return reply;
}

bool Sweep::run() {
  try {
    double left = 0;
    for (const Group& group : groups_) left += weight(group);
    for (const Group& group : groups_) {
      const double time_left = std::max(options_.budget_s - journal_.elapsed(), 0.0);
      run_group(group, time_left * weight(group) / left);
      left -= weight(group);
    }
    return true;
  } catch (const Interrupted&) {
    return false;
  } catch (const Journal::ReplayEnd&) {
    return false;
  }
}

// Time that one family does not need is the next ones'.
void Sweep::run_group(const Group& group, double share_s) {
  const double tuned_by = journal_.elapsed() + (1 - kFinalShare) * share_s;
  double left = weight(group);
  std::vector<Running> running;
  for (const FamilyPlan& plan : group.families) {
    const double now = journal_.elapsed();
    running.push_back(tune(plan, now + std::max(tuned_by - now, 0.0) * plan.weight / left));
    left -= plan.weight;
  }
  // Finals in processes that have not seen the heats.
  while (!running.empty()) {
    if (worker_ != nullptr) worker_->restart();
    std::erase_if(running, [&](Running& one) { return confirm(one); });
  }
}

Sweep::Running Sweep::tune(const FamilyPlan& plan, double until_s) {
  Running running{plan, 0, {}, std::nullopt};
  const std::string key = to_string(plan.problems.front());
  doing_ = key;
  const double now = journal_.elapsed();
  const std::vector<Prepared> prepared = search(running, now + kSearchShare * (until_s - now));
  running.tuner.emplace(static_cast<int>(prepared.size()), seed_of(key), tuner_rules(),
                        static_cast<int>(plan.problems.size()));
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    running.tuner->report(static_cast<int>(i), prepared[i]);
  }
  // A race that is cut off before its first look is time lost.
  run_rounds(running, ProblemTuner::Want::round,
             std::max(until_s, journal_.elapsed() + kHeatsAtLeast * (until_s - now)));
  // The best of the heats, else by probe: where the neighbours' searches begin.
  const std::vector<double> log_ratios = running.tuner->log_ratios();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    if (std::isfinite(log_ratios[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return log_ratios[a] < log_ratios[b]; });
  for (std::size_t i = 0; i < std::min(kKept, order.size()); ++i) {
    known_.push_back({plan.problems.front(), running.plan.candidates[order[i]]});
  }
  return running;
}

// The worker keeps the data and the executables of a family's problems while others of it are
// selected.
void Sweep::select(const Family& family, std::size_t part) {
  if (worker_ == nullptr) return;
  const bool keep = selected_ == family;
  worker_->set_problem(family[part], seed_of("data " + to_string(family[part])), options_.cache,
                       keep);
  if (!keep) prepared_in_ = -1;
  selected_ = family;
}

Prepared Sweep::live_prepare(const Running& running, std::size_t part, int candidate) {
  const FamilyPlan& plan = running.plan;
  select(plan.problems, part);
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  Prepared prepared =
      worker_->prepare(candidate, wanted.variant->plan(plan.problems[part], wanted.config, device_),
                       part < running.anchor_ns.size() ? running.anchor_ns[part] : 0);
  if (worker_->generation() != prepared_in_) prepared_here_.clear();
  prepared_in_ = worker_->generation();
  if (prepared.outcome == Outcome::correct) prepared_here_.insert({part, candidate});
  return prepared;
}

// Prepares the candidate again where the worker that had it is gone.
Outcome Sweep::ensure_prepared(const Running& running, std::size_t part, int candidate) {
  select(running.plan.problems, part);
  const bool here = worker_->pid() > 0 && worker_->generation() == prepared_in_ &&
                    prepared_here_.contains({part, candidate});
  return here ? Outcome::correct : live_prepare(running, part, candidate).outcome;
}

RoundReply Sweep::live_round(const Running& running, std::size_t part, const Round& round) {
  for (const int arm : round.order) {
    if (arm == kCanary) continue;
    const Outcome outcome = ensure_prepared(running, part, arm);
    if (outcome != Outcome::correct) {
      RoundReply reply;
      reply.failed = arm;
      reply.failure = outcome;
      return reply;
    }
  }
  return worker_->run_round(round);
}

void Sweep::run_rounds(Running& running, ProblemTuner::Want wanted, double until_s) {
  const std::string tag = wanted == ProblemTuner::Want::final_round ? "final " : "round ";
  const int finals_won = running.tuner->finals_won();
  while (running.tuner->want() == wanted && running.tuner->finals_won() == finals_won) {
    const Round round = running.tuner->next();
    std::vector<RoundReply> replies(running.plan.problems.size());
    bool stop = false;
    for (std::size_t part = 0; part < replies.size(); ++part) {
      const std::string key = to_string(running.plan.problems[part]);
      const json reply = ask(tag + key + " " + std::to_string(round.index), [&] {
        json value = to_json(live_round(running, part, round));
        value["stop"] = journal_.elapsed() > until_s;
        return value;
      });
      replies[part] = round_from(reply);
      stop = reply.at("stop").get<bool>();
      if (replies[part].failed < 0) continue;
      const auto failed = static_cast<std::size_t>(replies[part].failed);
      quarantine_.report(running.plan.candidates[failed], key, replies[part].failure);
      break;  // the round is void, whatever the others would say
    }
    running.tuner->report(replies);
    if (stop && running.tuner->want() == wanted) running.tuner->stop();
  }
}

// One more check of the choice, after it was timed. False where it is wrong, or gone: whatever its
// time, it is not chosen then.
bool Sweep::recheck(const Running& running, std::size_t part, Decided& decided) {
  const int choice = decided.verdict.choice;
  const json reply = ask("recheck " + to_string(decided.problem), [&] {
    ensure_prepared(running, part, choice);
    json value = to_json(worker_->recheck(choice));
    const json events = worker_->read_events(choice);
    value["event_ns"] = events.value("event_ns", 0.0);
    value["event_fault"] = events.value("fault", events.value("detail", std::string()));
    return value;
  });
  decided.event_ns = reply.at("event_ns").get<double>();
  decided.event_fault = reply.at("event_fault").get<std::string>();
  return choice == 0 || prepared_from(reply).outcome == Outcome::correct;
}

bool Sweep::confirm(Running& running) {
  const FamilyPlan& plan = running.plan;
  const ProblemTuner& tuner = *running.tuner;
  doing_ = "confirming " + to_string(plan.problems.front());
  const bool raced = tuner.want() == ProblemTuner::Want::final_round;
  // A final runs to its end, however late: nothing unproven is written.
  run_rounds(running, ProblemTuner::Want::final_round, 1e18);
  if (tuner.want() != ProblemTuner::Want::nothing) return false;
  double seen = 0;
  for (const Prepared& prepared : tuner.prepared()) {
    if (prepared.outcome != Outcome::skipped) ++seen;
  }
  std::vector<Decided> family;
  bool good = true;
  for (std::size_t part = 0; part < plan.problems.size(); ++part) {
    Decided& decided = family.emplace_back();
    decided.problem = plan.problems[part];
    decided.candidates = plan.candidates;
    decided.prepared = tuner.prepared();
    decided.log_ratios = tuner.log_ratios();
    decided.seen = running.space > 0 ? std::min(seen / running.space, 1.0) : 0;
    decided.verdict = tuner.verdict(static_cast<int>(part));
    if (decided.verdict.rounds == 0 && part < running.anchor_ns.size()) {
      decided.verdict.time_ns = decided.verdict.default_ns = running.anchor_ns[part];
    }
    if (raced) good = recheck(running, part, decided) && good;
  }
  for (Decided& decided : family) {
    if (!good) {
      Verdict& verdict = decided.verdict;
      verdict.choice = 0;
      verdict.reason = "failed_recheck";
      verdict.time_ns = verdict.default_ns;
      verdict.speedup = verdict.speedup_low = verdict.speedup_high = 1;
      verdict.error_over_bound = tuner.prepared()[0].error_over_bound;
    }
    decided_.push_back(std::move(decided));
  }
  return true;
}

std::uint64_t Sweep::seed_of(const std::string& key) const {
  std::uint64_t hash = 14695981039346656037ULL ^ options_.seed;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace loratune
