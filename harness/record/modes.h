// What --sweep --record and --replay of a recording do. Each mode returns the exit code, and throws
// Failure, or OpenclError where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int record_mode(const Options& options);
int simulate_mode(const Options& options);

}  // namespace loratune
