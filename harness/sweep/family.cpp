#include "harness/sweep/family.h"

#include "tuner/random.h"

namespace loratune {

void FamilyArms::select(const FamilyRun& run, std::size_t part) {
  const Problem& problem = run.plan.problems[part];
  const bool keep = selected_ == run.plan.problems;
  arms_.select(problem, seed_of("data " + to_string(problem), options_.seed), options_.cache, keep,
               [&run, part, this](Worker& worker, int candidate) {
                 const Candidate& wanted = run.plan.candidates[static_cast<std::size_t>(candidate)];
                 return worker.prepare(
                     candidate,
                     wanted.variant->plan(run.plan.problems[part], wanted.config, device_),
                     part < run.anchor_ns.size() ? run.anchor_ns[part] : 0);
               });
  selected_ = run.plan.problems;
}

Prepared FamilyArms::prepare(const FamilyRun& run, std::size_t part, int candidate) {
  select(run, part);
  return candidate == 0 ? arms_.prepare_or_retry(candidate) : arms_.prepare(candidate);
}

RoundReply FamilyArms::run_round(const FamilyRun& run, std::size_t part, const Round& round) {
  select(run, part);
  return arms_.run_round(round);
}

Prepared FamilyArms::recheck(const FamilyRun& run, std::size_t part, int candidate) {
  select(run, part);
  return arms_.recheck(candidate);
}

EventReading FamilyArms::read_events(const FamilyRun& run, std::size_t part, int candidate) {
  select(run, part);
  return arms_.read_events(candidate);
}

}  // namespace loratune
