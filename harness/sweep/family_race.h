// A FamilyRace times what a search prepared: heats, then finals in fresh processes, then one more
// check of the choice. The ProblemTuner of the run says which rounds, this asks for them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/sweep/conversation.h"
#include "harness/sweep/family.h"
#include "harness/worker/quarantine.h"

namespace loratune {

// A problem that has its verdict.
struct Decided {
  Problem problem;
  std::vector<Candidate> candidates;
  std::vector<Prepared> prepared;
  std::vector<double> log_ratios;
  Verdict verdict;
  double seen = 0;          // share of the space that was built, checked and timed
  double event_ns = 0;      // the choice by the event clock; 0 where that clock is not believed
  std::string event_fault;  // why not
};

class FamilyRace {
 public:
  // `arms` is null where a journal answers for it. What is given outlives it.
  FamilyRace(Conversation& conversation, Quarantine& quarantine, FamilyArms* arms,
             const SweepOptions& options);

  // Races what the run has prepared until that is decided, or the time is spent.
  void run_heats(FamilyRun& run, double until_s);

  // Seconds that the finals of the run take at least, by its default's time; 0 where it has none.
  static double finals_s(const FamilyRun& run);

  // The next final, in a process that has not seen the heats: the verdicts once there is none left,
  // one a problem of the family, else nothing.
  std::optional<std::vector<Decided>> run_final(FamilyRun& run);

 private:
  void run_rounds(FamilyRun& run, ProblemTuner::Want wanted, double until_s);
  bool recheck(const FamilyRun& run, std::size_t part, Decided& decided);
  std::vector<Decided> decide(const FamilyRun& run, bool raced);

  Conversation& conversation_;
  Quarantine& quarantine_;
  FamilyArms* arms_;
  const SweepOptions& options_;
};

}  // namespace loratune
