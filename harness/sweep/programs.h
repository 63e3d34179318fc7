// Programs builds what a sweep tries, each program once however many configs and problems share it,
// side by side and ahead of the worker where that pays, and knows what a build costs.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "harness/sweep/conversation.h"
#include "harness/sweep/plan.h"
#include "harness/worker/build_ahead.h"
#include "harness/worker/quarantine.h"
#include "harness/worker/worker.h"

namespace loratune {

class Programs {
 public:
  // `worker` and `ahead` are null where a journal answers for them; without a quarantine every
  // program is built. What is given outlives it.
  Programs(Conversation& conversation, const DeviceInfo& device, Quarantine* quarantine,
           Worker* worker, BuildAhead* ahead);

  // What building the candidate comes to for all problems of the family: correct, or the first
  // outcome that is not. `constraints` too where the candidate may not run one of them.
  Prepared build(const Family& family, const Candidate& candidate, TimeShare& time);

  // Builds the default of the family, candidates[0], or what replaces it: one whose built kernel
  // exceeds what the driver grants it (constraints) gives way to the next of fallback_choices(). A
  // default that costs the worker is tried once more: without it the family is lost.
  Prepared settle_default(const Family& family, Candidate& standard, TimeShare& time);

  // Has the candidates from number `first` on built side by side, so that the worker finds them
  // built, as long as that pays.
  void build_ahead(const Family& family, std::span<const Candidate> candidates, std::size_t first);

  // What each point of a space costs to try, in attempts of `attempt_s` seconds (0: unknown): one,
  // and what a build takes where its program was not built yet. `numbers` as programs_of() gives.
  std::vector<double> prices(std::span<const Variant* const> variants,
                             std::span<const SpacePoint> space,
                             std::span<const std::size_t> numbers, const Problem& problem,
                             double attempt_s) const;

 private:
  Prepared build(const Family& family, const Candidate& candidate, TimeShare& time, int tries);
  bool given_up(const Candidate& candidate) const;
  Prepared build_one(const Problem& problem, const Candidate& candidate, TimeShare& time,
                     int tries);

  Conversation& conversation_;
  const DeviceInfo& device_;
  Quarantine* quarantine_;
  Worker* worker_;
  BuildAhead* ahead_;
  std::map<std::string, Prepared> built_;  // by program
  std::vector<Candidate> built_from_;      // a candidate of each
  std::set<std::string> built_ahead_;      // programs that the worker should find built
  AheadLedger ledger_;
  double build_s_ = 0;  // spent on so many builds
  int builds_ = 0;
};

}  // namespace loratune
