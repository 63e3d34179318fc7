// Variants by what they take.
#pragma once

#include <vector>

#include "loratune/variants/variant.h"
#include "made_up_devices.h"

namespace loratune {

// The variants that take the plain product of one module on some device; the others take groups
// only.
inline std::vector<const Variant*> plain_variants() {
  Problem problem;
  problem.m = 16;
  problem.k = problem.n = 512;
  problem.rank = 8;
  std::vector<const Variant*> all;
  for (const Variant* variant : variants()) {
    for (const DeviceInfo& device : {made_up::gpu(), made_up::nvidia(), made_up::cpu()}) {
      if (!variant->supports(problem, device)) continue;
      all.push_back(variant);
      break;
    }
  }
  return all;
}

}  // namespace loratune
