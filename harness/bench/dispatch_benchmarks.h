// What a runtime pays beside the kernels: to load a tuned file, to pick, and to enqueue.
#pragma once

#include <string>
#include <vector>

#include "loratune/engine/device.h"

namespace loratune {

// Whether --benchmark_filter asks for these: its value begins with `dispatch`.
bool wants_dispatch_benchmarks(const std::vector<std::string>& flags);

// Registers
//   dispatch/pick/records:120, :100000  a pick by a record, of 64 shuffled problems at a time
//   dispatch/pick/rule, /default        by the one rule that holds it, and without any entry
//   dispatch/load/records:10000         a tuned file from its bytes to a dispatcher
//   dispatch/forward                    enqueueing a product through the engine; `over_bare_ns` is
//   what it
//                                       takes beyond the same launch by clSetKernelArg and
//                                       clEnqueueNDRangeKernel, in interleaved rounds
// The device is what lasts as long as they do.
void register_dispatch_benchmarks(const Device& device);

}  // namespace loratune
