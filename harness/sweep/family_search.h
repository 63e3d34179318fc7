// A FamilySearch tries configs on one family: the default first, then a few at a time, what they
// took deciding which are next.
#pragma once

#include <span>
#include <vector>

#include "harness/sweep/conversation.h"
#include "harness/sweep/family.h"
#include "harness/sweep/programs.h"

namespace loratune {

class FamilySearch {
 public:
  // `arms` is null where a journal answers for it. What is given outlives it.
  FamilySearch(Conversation& conversation, Programs& programs, Quarantine& quarantine,
               FamilyArms* arms, const SweepOptions& options, const DeviceInfo& device);

  // Fills in the run's candidates, their outcomes, and the space that they are of. It ends when the
  // time is spent, the evaluations are, or nothing better is expected. `known`: what was best on
  // other problems, where the search begins.
  void search(FamilyRun& run, std::span<const Known> known, double until_s);

 private:
  Prepared attempt(FamilyRun& run, int candidate, TimeShare& time);
  Prepared build_and_probe(FamilyRun& run, int candidate, TimeShare& time);
  Prepared attempt_part(const FamilyRun& run, std::size_t part, int candidate, TimeShare& time);
  std::vector<LaunchPlan> plans_of(const FamilyRun& run, const Candidate& candidate) const;

  Conversation& conversation_;
  Programs& programs_;
  Quarantine& quarantine_;
  FamilyArms* arms_;
  const SweepOptions& options_;
  const DeviceInfo& device_;
  double attempt_s_ = 0;  // spent so far, over all families, on so many attempts
  int attempts_ = 0;
};

}  // namespace loratune
