// What a sweep of an adapter's problems gains for the adapter as a whole.
#pragma once

#include <string>
#include <vector>

#include "harness/base/adapter_source.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// One pass through all modules with `tokens` rows, in the sum of the times that the sweep measured.
// `missing` counts modules whose problem has no record.
struct AdapterGain {
  std::int64_t tokens = 0;
  Types types;
  int modules = 0, missing = 0;
  double tuned_ns = 0, default_ns = 0;
};

// In the order of the modules' problems.
std::vector<AdapterGain> adapter_gains(const std::vector<ModuleProblem>& problems,
                                       const TunedFile& tuned);

// `pass through 64 modules, 16 tokens, f16: 412.0 us tuned, 519.3 us by default, 1.26x`.
std::string to_string(const AdapterGain& gain);

}  // namespace loratune
