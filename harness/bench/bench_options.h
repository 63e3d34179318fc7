// What --bench was asked for, apart from the problems.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/base/cache.h"
#include "loratune/dispatch/choice.h"

namespace loratune {

struct BenchOptions {
  std::vector<const Variant*> variants;  // whose defaults are rivals too
  Mode mode = Mode::fast;
  Cache cache = Cache::warm;
  std::uint64_t seed = 1;
  double patience_s = 60;  // with a step that does not end, beyond what its work takes
  int rounds = 20;         // wanted; fewer where a problem's share of the time is too short
};

}  // namespace loratune
