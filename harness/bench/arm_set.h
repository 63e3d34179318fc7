// An ArmSet holds the arms of one problem: it makes them on the same operands and checks them
// against the same oracle. It does not time rounds.
#pragma once

#include <vector>

#include "harness/base/cache.h"
#include "harness/bench/arm.h"
#include "harness/bench/lineup.h"
#include "harness/process/shared_page.h"

namespace loratune {

class ArmSet {
 public:
  // An arm that cannot be made gets an outcome that says why. `shared` is told all along which arm
  // is at work. Throws OpenclError where the operands cannot be made.
  ArmSet(Engine& engine, Probes& probes, const Problem& problem, std::uint64_t seed, Cache cache,
         const std::vector<ArmSpec>& specs, WorkerShared& shared);

  std::vector<BenchArm>& arms() { return arms_; }

  // Runs every arm that is still correct once more against the oracle.
  void check();
  // Times one run of every arm that is still correct, from which rounds take their length.
  void probe();

 private:
  BenchArm other_arm(const std::string& name, Engine& engine, Probes& probes);
  void begin(std::size_t arm);
  template <class F>
  void with_each_correct(F&& work);

  WorkerShared& shared_;
  Checker checker_;
  WeightRing ring_;
  Cache cache_;
  std::int64_t cache_bytes_;  // that rotating weights must exceed; 0: the weights stay warm
  std::vector<BenchArm> arms_;
};

}  // namespace loratune
