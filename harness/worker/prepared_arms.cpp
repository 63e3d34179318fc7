#include "harness/worker/prepared_arms.h"

namespace loratune {

void PreparedArms::select(const Problem& problem, std::uint64_t seed, Cache cache, bool keep,
                          Prepare prepare) {
  worker_.set_problem(problem, seed, cache, keep);
  problem_ = to_string(problem);
  prepare_ = std::move(prepare);
  if (keep) return;
  here_.clear();
  losses_.clear();
}

Prepared PreparedArms::prepare(int arm) {
  Prepared prepared = prepare_(worker_, arm);
  if (worker_.generation() != generation_) here_.clear();
  generation_ = worker_.generation();
  if (prepared.outcome == Outcome::correct) here_.insert({problem_, arm});
  return prepared;
}

Prepared PreparedArms::prepare_or_retry(int arm) {
  Prepared prepared = prepare(arm);
  if (is_loss(prepared.outcome)) prepared = prepare(arm);
  return prepared;
}

Outcome PreparedArms::ensure(int arm) {
  const bool here =
      worker_.alive() && worker_.generation() == generation_ && here_.contains({problem_, arm});
  return here ? Outcome::correct : prepare(arm).outcome;
}

RoundReply PreparedArms::blame(int arm, Outcome outcome) {
  if (is_loss(outcome) && losses_[{problem_, arm}]++ == 0) return void_round();
  return failed_round(arm, outcome);
}

RoundReply PreparedArms::run_round(const Round& round) {
  // Where the process dies meanwhile, the next pass prepares again what it had.
  for (int pass = 0; pass < 2; ++pass) {
    for (const int arm : round.order) {
      if (arm == kCanary) continue;
      const Outcome outcome = ensure(arm);
      if (outcome != Outcome::correct) return blame(arm, outcome);
    }
  }
  const RoundReply reply = worker_.run_round(round);
  return reply.failed >= 0 ? blame(reply.failed, reply.failure) : reply;
}

Prepared PreparedArms::recheck(int arm) {
  const Outcome outcome = ensure(arm);
  if (outcome != Outcome::correct) return {outcome, 0, 0, "it could not be prepared again"};
  Prepared checked = worker_.recheck(arm);
  if (!is_loss(checked.outcome)) return checked;
  worker_.restart();
  if (ensure(arm) == Outcome::correct) checked = worker_.recheck(arm);
  return checked;
}

EventReading PreparedArms::read_events(int arm) {
  if (ensure(arm) != Outcome::correct) return {0, "it could not be prepared again"};
  return worker_.read_events(arm);
}

}  // namespace loratune
