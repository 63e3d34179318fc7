// A FamilyRun is all that became of one family of problems in a sweep; FamilyArms has its
// candidates prepared, timed and checked by a worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/sweep/plan.h"
#include "harness/worker/prepared_arms.h"
#include "tuner/problem_tuner.h"

namespace loratune {

struct FamilyRun {
  FamilyPlan plan;
  double space = 0;                   // points that were to choose from
  std::vector<double> anchor_ns;      // the default's probe, by problem; empty until it is prepared
  std::vector<Prepared> prepared;     // of the plan's candidates, over all problems
  std::optional<ProblemTuner> tuner;  // races what is prepared
};

// An arm's number is its candidate's. `part` is the number of a problem of the family.
class FamilyArms {
 public:
  // What is given outlives it.
  FamilyArms(Worker& worker, const SweepOptions& options, const DeviceInfo& device)
      : arms_(worker), options_(options), device_(device) {}

  // The default, candidate 0, is tried a second time where it costs the worker.
  Prepared prepare(const FamilyRun& run, std::size_t part, int candidate);
  RoundReply run_round(const FamilyRun& run, std::size_t part, const Round& round);
  Prepared recheck(const FamilyRun& run, std::size_t part, int candidate);
  EventReading read_events(const FamilyRun& run, std::size_t part, int candidate);

  // What comes next is timed in a process that has not seen what came before.
  void use_fresh_process() { arms_.worker().restart(); }

 private:
  void select(const FamilyRun& run, std::size_t part);

  PreparedArms arms_;
  const SweepOptions& options_;
  const DeviceInfo& device_;
  Family selected_;  // whose data and arms the worker keeps while others of it are selected
};

}  // namespace loratune
