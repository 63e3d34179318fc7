// Problems that are larger than the device or this machine can hold.
#pragma once

#include <span>
#include <string>

#include "loratune/variants/device_info.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Why the problem cannot be run and compared here, in a line; empty where it may be. `memory_bytes`
// is what this machine has.
std::string too_large_reason(const Problem& problem, const DeviceInfo& device, double memory_bytes);

// Throws Failure (kExitUsage) for the first of the problems that has such a reason.
void refuse_too_large(std::span<const Problem> problems, const DeviceInfo& device);

// The bytes of this machine's memory, or fewer where the process is limited to that.
double memory_bytes();

}  // namespace loratune
