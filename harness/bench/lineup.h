// A Lineup says what is timed on one problem: the arms as data, and which rival runs on which arm.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/rivals.h"
#include "loratune/dispatch/outcome.h"
#include "loratune/variants/launch_plan.h"

namespace loratune {

// What one arm runs: a plan of ours or, where `other` is not empty, the rival of that name, which
// is another library or an empty launch.
struct ArmSpec {
  std::string other;
  LaunchPlan plan;
  Outcome outcome = Outcome::correct;  // another outcome: the arm has failed, and does not run
  std::string detail;                  // how it has failed
  bool operator==(const ArmSpec&) const = default;
};

struct Lineup {
  std::vector<ArmSpec> arms;
  std::map<std::string, int> arm_of_rival;    // rivals of the same plan share an arm
  std::map<std::string, std::string> labels;  // of rivals that are plans: variant and config
};

Lineup make_lineup(const Problem& problem, const DeviceInfo& device,
                   const std::vector<Rival>& rivals);

}  // namespace loratune
