// A Sweep shares its time out among groups of families that share programs: each family is searched
// and raced, then all finals of the group are run in fresh processes. What is tried and what is
// decided are functions of the options, the device and the journal's replies.
#pragma once

#include <functional>
#include <vector>

#include "harness/sweep/family_race.h"
#include "harness/sweep/family_search.h"

namespace loratune {

class Sweep {
 public:
  // `worker` and `ahead` are null where the journal only replays. What is given outlives it.
  Sweep(const SweepOptions& options, const DeviceInfo& device, Journal& journal, Worker* worker,
        BuildAhead* ahead, std::function<bool()> interrupted,
        std::function<void(const SweepProgress&)> progress);

  // Goes through all groups; leaves early, with what is decided, when interrupted or when a replay
  // ends. False then.
  bool run();
  const std::vector<Decided>& decided() const { return decided_; }
  const Quarantine& quarantine() const { return quarantine_; }

 private:
  void run_group(const Group& group, double share_s);
  FamilyRun tune(const FamilyPlan& plan, double until_s);
  void keep_best(const FamilyRun& run);

  const SweepOptions options_;
  const DeviceInfo device_;
  const Journal& journal_;
  Conversation conversation_;
  Quarantine quarantine_;
  std::optional<FamilyArms> arms_;
  Programs programs_;
  FamilySearch search_;
  FamilyRace race_;
  std::vector<Known> known_;  // the options', then what was best, problem by problem
  std::vector<Decided> decided_;
};

}  // namespace loratune
