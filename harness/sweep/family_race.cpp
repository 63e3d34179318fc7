#include "harness/sweep/family_race.h"

#include <algorithm>

#include "harness/timing/measure.h"
#include "tuner/random.h"

namespace loratune {
namespace {

using nlohmann::json;

TunerRules tuner_rules() {
  TunerRules rules;
  rules.most_racers = 2 * (kMaxArms - 1);
  rules.final.doubled = true;
  rules.final.looks = Looks::of_a_final();
  rules.finals = 3;
  return rules;
}

}  // namespace

FamilyRace::FamilyRace(Conversation& conversation, Quarantine& quarantine, FamilyArms* arms,
                       const SweepOptions& options)
    : conversation_(conversation), quarantine_(quarantine), arms_(arms), options_(options) {}

void FamilyRace::run_heats(FamilyRun& run, double until_s) {
  run.tuner.emplace(static_cast<int>(run.prepared.size()),
                    seed_of(to_string(run.plan.problems.front()), options_.seed), tuner_rules(),
                    static_cast<int>(run.plan.problems.size()));
  for (std::size_t i = 0; i < run.prepared.size(); ++i) {
    run.tuner->report(static_cast<int>(i), run.prepared[i]);
  }
  run_rounds(run, ProblemTuner::Want::round, until_s);
}

// Every round is run on each problem of the family.
void FamilyRace::run_rounds(FamilyRun& run, ProblemTuner::Want wanted, double until_s) {
  const bool final = wanted == ProblemTuner::Want::final_round;
  const std::string tag = final ? "final " : "round ";
  const int finals_won = run.tuner->finals_won();
  while (run.tuner->want() == wanted && run.tuner->finals_won() == finals_won) {
    const Round round = run.tuner->next();
    conversation_.now_doing((final ? "confirming, round " : "racing, round ") +
                            std::to_string(round.index + 1));
    std::vector<RoundReply> replies(run.plan.problems.size());
    bool stop = false;
    for (std::size_t part = 0; part < replies.size(); ++part) {
      const std::string key = to_string(run.plan.problems[part]);
      const json reply = conversation_.ask(tag + key + " " + std::to_string(round.index), [&] {
        json value = to_json(arms_->run_round(run, part, round));
        value["stop"] = conversation_.elapsed_s() > until_s;
        return value;
      });
      replies[part] = round_reply_from_json(reply, round);
      stop = reply.at("stop").get<bool>();
      if (replies[part].failed < 0) continue;
      const auto failed = static_cast<std::size_t>(replies[part].failed);
      quarantine_.report(run.plan.candidates[failed], key, replies[part].failure);
      break;  // the round is void, whatever the others would say
    }
    run.tuner->report(replies);
    if (stop && run.tuner->want() == wanted) run.tuner->stop();
  }
}

double FamilyRace::finals_s(const FamilyRun& run) {
  if (run.tuner->want() != ProblemTuner::Want::final_round) return 0;
  const TunerRules rules = tuner_rules();
  double round_ns = 0;  // of both arms' blocks, and of those of twice the length
  for (const double ns : run.anchor_ns) {
    if (!is_time(ns)) continue;
    round_ns += 2 * rules.final.sub_blocks * (rules.final.doubled ? 3 : 1) * block_runs(ns) * ns;
  }
  return 1e-9 * round_ns * rules.final.looks.first() * rules.finals;
}

std::optional<std::vector<Decided>> FamilyRace::run_final(FamilyRun& run) {
  conversation_.now_on(to_string(run.plan.problems.front()));
  const bool raced = run.tuner->want() == ProblemTuner::Want::final_round;
  // A final runs to its end, however late: nothing unproven is written.
  run_rounds(run, ProblemTuner::Want::final_round, 1e18);
  if (run.tuner->want() != ProblemTuner::Want::nothing) return std::nullopt;
  return decide(run, raced);
}

// Checks the choice once more, after it was timed. False where it is wrong, or gone: whatever its
// time, it is not chosen then.
bool FamilyRace::recheck(const FamilyRun& run, std::size_t part, Decided& decided) {
  const int choice = decided.verdict.choice;
  const json reply = conversation_.ask("recheck " + to_string(decided.problem), [&] {
    json value = to_json(arms_->recheck(run, part, choice));
    const EventReading events = arms_->read_events(run, part, choice);
    value["event_ns"] = events.ns;
    value["event_fault"] = events.fault;
    return value;
  });
  decided.event_ns = reply.at("event_ns").get<double>();
  decided.event_fault = reply.at("event_fault").get<std::string>();
  return choice == 0 || prepared_from_json(reply).outcome == Outcome::correct;
}

std::vector<Decided> FamilyRace::decide(const FamilyRun& run, bool raced) {
  const FamilyPlan& plan = run.plan;
  const ProblemTuner& tuner = *run.tuner;
  const auto seen = static_cast<double>(
      std::count_if(tuner.prepared().begin(), tuner.prepared().end(),
                    [](const Prepared& prepared) { return prepared.outcome != Outcome::skipped; }));
  std::vector<Decided> family;
  bool good = true;
  for (std::size_t part = 0; part < plan.problems.size(); ++part) {
    Decided& decided = family.emplace_back();
    decided.problem = plan.problems[part];
    decided.candidates = plan.candidates;
    decided.prepared = tuner.prepared();
    decided.log_ratios = tuner.log_ratios();
    decided.seen = run.space > 0 ? std::min(seen / run.space, 1.0) : 0;
    decided.verdict = tuner.verdict(static_cast<int>(part));
    if (decided.verdict.rounds == 0 && part < run.anchor_ns.size()) {
      decided.verdict.time_ns = decided.verdict.default_ns = run.anchor_ns[part];
    }
    if (raced) good = recheck(run, part, decided) && good;
  }
  if (good) return family;
  for (Decided& decided : family) {
    Verdict& verdict = decided.verdict;
    verdict.choice = 0;
    verdict.reason = "failed_recheck";
    verdict.time_ns = verdict.default_ns;
    verdict.speedup = verdict.speedup_low = verdict.speedup_high = 1;
    verdict.error_over_bound = tuner.prepared()[0].error_over_bound;
  }
  return family;
}

}  // namespace loratune
