// forward_host as a rival: what the same product takes without a device.
#pragma once

#include "harness/bench/arm.h"

namespace loratune {

// On as many threads as OpenBLAS has, in the problem's own types, with weights that were packed
// outside of the timing. The weights rotate over copies that take more than twice `cache_bytes`;
// with 0 they stay warm. `checker` outlives the arm. A problem that forward_host does not compute
// has an arm whose outcome is `skipped`.
BenchArm host_arm(Checker& checker, std::int64_t cache_bytes);

}  // namespace loratune
