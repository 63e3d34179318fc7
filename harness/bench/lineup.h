// A Lineup holds the arms that run one problem's rivals: it makes them on the same operands, checks
// them against the same oracle, and tells which rival runs on which arm. It does not time rounds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/arm.h"
#include "harness/bench/bench_options.h"
#include "harness/bench/rivals.h"

namespace loratune {

class Lineup {
 public:
  // Rivals of the same plan share an arm. A rival that cannot be made has an arm whose outcome says
  // why. Throws OpenclError where the operands cannot be made.
  Lineup(Engine& engine, Probes& probes, const Problem& problem, const BenchOptions& options,
         const std::vector<Rival>& rivals);

  std::vector<BenchArm>& arms() { return arms_; }
  const std::map<std::string, int>& arm_of_rival() const { return arm_of_rival_; }
  const std::string& label(const std::string& rival) const { return labels_.at(rival); }

  // Runs every arm that is still correct once more against the oracle.
  void check();
  // Times one run of every arm that is still correct, from which rounds take their length.
  void probe();

 private:
  int plan_arm_index(const LaunchPlan& plan, Engine& engine);
  BenchArm other_arm(const std::string& name, Engine& engine, Probes& probes);

  Checker checker_;
  WeightRing ring_;
  std::int64_t cache_bytes_;  // that rotating weights must exceed; 0: the weights stay warm
  std::vector<BenchArm> arms_;
  std::vector<std::pair<LaunchPlan, int>> plans_;  // and the arms that run them
  std::map<std::string, int> arm_of_rival_;
  std::map<std::string, std::string> labels_;
};

}  // namespace loratune
