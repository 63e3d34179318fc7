// Problems that are larger than the device or this machine can hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "loratune/variants/device_info.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Elements that a check puts before and behind the values of x and y.
inline constexpr std::int64_t kGuardElements = 64;
inline constexpr const char* kNoRows = "has no rows: there is nothing to time";

// Why the problem cannot be run and compared here, in a line; empty where it may be. `memory_bytes`
// is what this machine has.
std::string too_large_reason(const Problem& problem, const DeviceInfo& device, double memory_bytes);

// Throws Failure (kExitUsage) for the first of the problems that cannot be timed here: it is too
// large, or has no rows.
void require_timeable(std::span<const Problem> problems, const DeviceInfo& device);

// The bytes of this machine's memory, or fewer where the process is limited to that.
double memory_bytes();

}  // namespace loratune
