// What a runtime gains whose x, weights and y stand in one buffer.
#pragma once

#include "loratune/engine/device.h"

namespace loratune {

// Registers dispatch/one_buffer/KEY for one module and for a group at one token: launches of the
// default's plan for one buffer, and in turns with them of the plan for any buffers, in the same
// arena. The time is that of a launch, of many one behind another up to the end of the last;
// `ratio` is the median over rounds of that time to the other plan's.
void register_arena_benchmarks(const Device& device);

}  // namespace loratune
