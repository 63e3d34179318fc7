// What --bench found on one problem: of every rival its times and what they come to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/timing/roofline.h"
#include "loratune/dispatch/outcome.h"
#include "tuner/paired_samples.h"

namespace loratune {

// One rival on one problem. `outcome` is correct for a rival that was right and has `times_ns`, and
// skipped where every round was disturbed or its time contradicts the device's ceilings. Any other
// outcome is a fault. `detail` says why it is not correct.
struct RivalResult {
  Outcome outcome = Outcome::skipped;
  std::string detail, label, event_fault;
  int launches = 0;
  double error_over_bound = 0;
  std::vector<double> times_ns;                    // of each undisturbed round
  double wall_ns = 0, slope_ns = 0, event_ns = 0;  // 0: not measured, or not believed
  Throughput throughput;
};

struct ProblemResult {
  std::map<std::string, RivalResult> rivals;
  std::map<std::string, int> arm;  // of PairedSamples; rivals of the same plan share one
  PairedSamples samples{0};
  int void_rounds = 0;
  std::string fault;    // why nothing of the problem was measured; empty where something was
  std::string general;  // the rival that is the general_variant(); empty where there is none

  // Of t_rival / t_other, paired by round; nothing where one of them has no times.
  std::optional<MedianInterval> log_ratio(const std::string& rival, const std::string& other) const;
};

}  // namespace loratune
