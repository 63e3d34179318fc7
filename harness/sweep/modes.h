// What --sweep, --replay of a journal and --merge do. Each mode returns the exit code, and throws
// Failure, or OpenclError where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int sweep_mode(const Options& options);
int merge_mode(const Options& options);

}  // namespace loratune
