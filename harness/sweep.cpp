#include "harness/sweep.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "dispatch/default_choice.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kBuildLimit = 0.5;    // of a group's time, for building
constexpr double kPrepareShare = 0.5;  // of a problem's time, for checks and probes
constexpr double kFinalShare = 0.15;   // kept for the finals
constexpr double kWorthTimingNs =
    20e6;  // what repeats so much work that it would take longer is not tried
constexpr const char* kQuarantined = "failed on two problems before";
constexpr double kRepeatedWork = 5;  // that much: multiples of the default's flops

json to_json(const Prepared& prepared) {
  return {{"outcome", to_string(prepared.outcome)},
          {"probe_ns", prepared.probe_ns},
          {"error", prepared.error_over_bound},
          {"detail", prepared.detail}};
}

Prepared prepared_from(const json& reply) {
  Prepared prepared;
  prepared.outcome =
      parse_outcome(reply.at("outcome").get<std::string>()).value_or(Outcome::skipped);
  prepared.probe_ns = reply.at("probe_ns").get<double>();
  prepared.error_over_bound = reply.at("error").get<double>();
  prepared.detail = reply.at("detail").get<std::string>();
  return prepared;
}

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

TunerRules tuner_rules() {
  TunerRules rules;
  rules.final.doubled = true;
  rules.final.looks = {20, 40, 80};
  return rules;
}

}  // namespace

Sweep::Sweep(const SweepOptions& options, std::vector<Group> groups, const DeviceInfo& device,
             Journal& journal, Worker* worker, std::function<bool()> interrupted,
             std::function<void(const SweepProgress&)> progress)
    : options_(options),
      groups_(std::move(groups)),
      device_(device),
      journal_(journal),
      worker_(worker),
      interrupted_(std::move(interrupted)),
      progress_(std::move(progress)) {
  for (const Group& group : groups_) problems_ += group.problems.size();
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
    std::size_t left = problems_;
    for (const Group& group : groups_) {
      const double time_left = std::max(options_.budget_s - journal_.elapsed(), 0.0);
      run_group(group,
                time_left * static_cast<double>(group.problems.size()) / static_cast<double>(left));
      left -= group.problems.size();
    }
    return true;
  } catch (const Interrupted&) {
    return false;
  } catch (const Journal::ReplayEnd&) {
    return false;
  }
}

void Sweep::run_group(Group group, double share_s) {
  const double begin = journal_.elapsed();
  auto built = build_programs(group, begin + kBuildLimit * share_s);
  settle_anchors(group, built);
  std::vector<Running> running;
  const double tuned_by = begin + (1 - kFinalShare) * share_s;
  for (std::size_t i = 0; i < group.problems.size(); ++i) {
    const ProblemPlan& plan = group.problems[i];
    running.push_back({&plan, ProblemTuner(static_cast<int>(plan.candidates.size()),
                                           seed_of(to_string(plan.problem)), tuner_rules())});
    const double now = journal_.elapsed();
    const double until =
        now + std::max(tuned_by - now, 0.0) / static_cast<double>(group.problems.size() - i);
    tune(running.back(), built[i], until);
  }
  // Finals in a process that has not seen the heats.
  if (worker_ != nullptr) worker_->restart();
  for (Running& one : running) confirm(one);
}

// A default whose built kernel exceeds what the driver grants it gives way to the next in line.
void Sweep::settle_anchors(Group& group, std::vector<std::vector<Prepared>>& built) {
  for (std::size_t i = 0; i < group.problems.size(); ++i) {
    ProblemPlan& plan = group.problems[i];
    for (const Choice& choice : fallback_choices(plan.problem, device_)) {
      if (built[i][0].outcome != Outcome::constraints) break;
      const Candidate next{choice.variant, choice.config};
      if (next == plan.candidates[0]) continue;
      const std::string tag = "anchor " + to_string(plan.problem) + " " +
                              std::string(next.variant->name) + " " +
                              to_string(next.variant->space, next.config);
      built[i][0] = prepared_from(ask(tag, [&] {
        return to_json(
            worker_->build(plan.problem, next.variant->plan(plan.problem, next.config, device_)));
      }));
      plan.candidates[0] = next;
    }
  }
}

// Outcomes of the build of each problem's candidates; equal programs are built once. The defaults'
// come first, whatever the time. Of the others the next one is always of the variant that has taken
// the least time so far: one that compiles slowly must not take the others' share.
std::vector<std::vector<Prepared>> Sweep::build_programs(const Group& group, double until_s) {
  struct Program {
    const ProblemPlan* smallest;  // the cheapest problem that uses it
    LaunchPlan plan;
    double flops;
    bool needed;
    Candidate candidate;  // the first that uses it
  };
  std::map<std::string, std::size_t> index;
  std::vector<Program> programs;
  std::vector<std::vector<std::size_t>> uses;
  for (const ProblemPlan& plan : group.problems) {
    uses.emplace_back();
    for (std::size_t c = 0; c < plan.candidates.size(); ++c) {
      const Candidate& candidate = plan.candidates[c];
      LaunchPlan launch = candidate.variant->plan(plan.problem, candidate.config, device_);
      const double flops = candidate.variant->flops(plan.problem, candidate.config);
      const auto [at, fresh] = index.emplace(program_key(launch), programs.size());
      uses.back().push_back(at->second);
      if (fresh) programs.push_back({&plan, std::move(launch), flops, c == 0, candidate});
      Program& program = programs[at->second];
      program.needed = program.needed || c == 0;
      if (flops < program.flops) {
        program.smallest = &plan;
        program.plan = candidate.variant->plan(plan.problem, candidate.config, device_);
        program.flops = flops;
      }
    }
  }
  std::vector<Prepared> outcomes(programs.size());
  std::map<const Variant*, double> spent_s;
  std::size_t built_so_far = 0;
  const auto build = [&](std::size_t i) {
    const Program& program = programs[i];
    doing_ = "building " + group.key + ", program " + std::to_string(++built_so_far) + " of " +
             std::to_string(programs.size());
    if (!program.needed && quarantine_.holds(program.candidate)) {
      outcomes[i] = {Outcome::skipped, 0, 0, kQuarantined};
      return;
    }
    const json reply = ask("build " + group.key + " " + std::to_string(i), [&] {
      const double begin = journal_.elapsed();
      json value = !program.needed && begin > until_s
                       ? to_json({Outcome::skipped, 0, 0, "the time for building was up"})
                       : to_json(worker_->build(program.smallest->problem, program.plan));
      value["seconds"] = journal_.elapsed() - begin;
      return value;
    });
    outcomes[i] = prepared_from(reply);
    quarantine_.report(program.candidate, group.key, outcomes[i].outcome);
    spent_s[program.candidate.variant] += reply.at("seconds").get<double>();
  };
  std::map<const Variant*, std::deque<std::size_t>> waiting;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    if (programs[i].needed) {
      build(i);
    } else {
      waiting[programs[i].candidate.variant].push_back(i);
    }
  }
  for (;;) {
    std::deque<std::size_t>* next = nullptr;
    double least_s = 0;
    for (const Variant* variant : options_.variants) {  // not by address: the order is replayed
      std::deque<std::size_t>& queue = waiting[variant];
      if (queue.empty() || (next != nullptr && spent_s[variant] >= least_s)) continue;
      next = &queue;
      least_s = spent_s[variant];
    }
    if (next == nullptr) break;
    build(next->front());
    next->pop_front();
  }
  std::vector<std::vector<Prepared>> built;
  for (const auto& used : uses) {
    built.emplace_back();
    for (const std::size_t i : used) built.back().push_back(outcomes[i]);
  }
  return built;
}

void Sweep::select(const Problem& problem) {
  if (worker_ == nullptr || (selected_ == problem && worker_->generation() == prepared_in_)) return;
  worker_->set_problem(problem, seed_of("data " + to_string(problem)), options_.cache);
  selected_ = problem;
  prepared_in_ = -1;
}

Prepared Sweep::live_prepare(const ProblemPlan& plan, int candidate, double anchor_ns) {
  select(plan.problem);
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  Prepared prepared = worker_->prepare(
      candidate, wanted.variant->plan(plan.problem, wanted.config, device_), anchor_ns);
  if (worker_->generation() != prepared_in_) prepared_here_.clear();
  prepared_in_ = worker_->generation();
  if (prepared.outcome == Outcome::correct) prepared_here_.push_back(candidate);
  return prepared;
}

void Sweep::tune(Running& running, const std::vector<Prepared>& built, double until_s) {
  const ProblemPlan& plan = *running.plan;
  const std::string key = to_string(plan.problem);
  doing_ = key;
  double anchor_ns = 0;
  const double anchor_flops =
      std::max(plan.candidates[0].variant->flops(plan.problem, plan.candidates[0].config), 1.0);
  const double begin = journal_.elapsed();
  const double prepared_by = begin + kPrepareShare * (until_s - begin);
  bool late = false;
  for (const int c : running.tuner.to_prepare()) {
    const auto at = static_cast<std::size_t>(c);
    const Candidate& candidate = plan.candidates[at];
    const double repeated = candidate.variant->flops(plan.problem, candidate.config) / anchor_flops;
    Prepared prepared = built[at];
    if (prepared.outcome == Outcome::correct) {
      if (late) {
        prepared = {Outcome::skipped, 0, 0, "the time for checking was up"};
      } else if (c != 0 && quarantine_.holds(candidate)) {
        prepared = {Outcome::skipped, 0, 0, kQuarantined};
      } else if (c != 0 && repeated > kRepeatedWork && repeated * anchor_ns > kWorthTimingNs) {
        prepared = {Outcome::skipped, 0, 0,
                    "does " + std::to_string(std::lround(repeated)) + " times the default's work"};
      } else {
        const json reply = ask("prepare " + key + " " + std::to_string(c), [&] {
          json value = to_json(live_prepare(plan, c, anchor_ns));
          value["late"] = journal_.elapsed() > prepared_by;
          return value;
        });
        prepared = prepared_from(reply);
        quarantine_.report(candidate, key, prepared.outcome);
        late = reply.at("late").get<bool>();
        if (c == 0) anchor_ns = prepared.probe_ns;
      }
    }
    running.tuner.report(c, prepared);
  }
  run_rounds(running, ProblemTuner::Want::round, until_s);
}

// Prepares the candidate again where the worker that had it is gone.
Outcome Sweep::ensure_prepared(const Running& running, int candidate) {
  select(running.plan->problem);
  const bool here =
      worker_->pid() > 0 && worker_->generation() == prepared_in_ &&
      std::find(prepared_here_.begin(), prepared_here_.end(), candidate) != prepared_here_.end();
  if (here) return Outcome::correct;
  return live_prepare(*running.plan, candidate, running.tuner.prepared()[0].probe_ns).outcome;
}

RoundReply Sweep::live_round(const Running& running, const Round& round) {
  for (const int arm : round.order) {
    if (arm == kCanary) continue;
    const Outcome outcome = ensure_prepared(running, arm);
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
  const std::string key = to_string(running.plan->problem);
  const std::string tag = wanted == ProblemTuner::Want::final_round ? "final " : "round ";
  while (running.tuner.want() == wanted) {
    const Round round = running.tuner.next();
    const json reply = ask(tag + key + " " + std::to_string(round.index), [&] {
      json value = to_json(live_round(running, round));
      value["stop"] = journal_.elapsed() > until_s;
      return value;
    });
    const RoundReply timed = round_from(reply);
    if (timed.failed >= 0) {
      const auto failed = static_cast<std::size_t>(timed.failed);
      quarantine_.report(running.plan->candidates[failed], key, timed.failure);
    }
    running.tuner.report(timed);
    if (reply.at("stop").get<bool>() && running.tuner.want() == wanted) running.tuner.stop();
  }
}

void Sweep::confirm(Running& running) {
  const ProblemPlan& plan = *running.plan;
  const std::string key = to_string(plan.problem);
  doing_ = "confirming " + key;
  Decided decided;
  const bool raced = running.tuner.want() == ProblemTuner::Want::final_round;
  // A final runs to its end, however late: nothing unproven is written.
  run_rounds(running, ProblemTuner::Want::final_round, 1e18);
  decided.verdict = running.tuner.verdict();
  if (raced) {
    const int choice = decided.verdict.choice;
    const json reply = ask("recheck " + key, [&] {
      ensure_prepared(running, choice);
      json value = to_json(worker_->recheck(choice));
      const json events = worker_->read_events(choice);
      value["event_ns"] = events.value("event_ns", 0.0);
      value["event_fault"] = events.value("fault", events.value("detail", std::string()));
      return value;
    });
    const Prepared checked = prepared_from(reply);
    decided.event_ns = reply.at("event_ns").get<double>();
    decided.event_fault = reply.at("event_fault").get<std::string>();
    if (checked.outcome != Outcome::correct && choice != 0) {
      // Wrong, or gone, after it was timed: whatever its time, it is not chosen.
      Verdict& verdict = decided.verdict;
      verdict.choice = 0;
      verdict.reason = "failed_recheck";
      verdict.time_ns = verdict.default_ns;
      verdict.speedup = verdict.speedup_low = verdict.speedup_high = 1;
      verdict.error_over_bound = running.tuner.prepared()[0].error_over_bound;
    }
  }
  decided.problem = plan.problem;
  decided.candidates = plan.candidates;
  decided.prepared = running.tuner.prepared();
  decided.log_ratios = running.tuner.log_ratios();
  double seen = 0;
  for (const Prepared& prepared : decided.prepared) {
    if (prepared.outcome != Outcome::skipped) ++seen;
  }
  decided.seen = plan.space > 0 ? std::min(seen / plan.space, 1.0) : 0;
  decided_.push_back(std::move(decided));
}

std::uint64_t Sweep::seed_of(const std::string& key) const {
  std::uint64_t hash = 14695981039346656037ULL ^ options_.seed;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace loratune
