// What --list and --pick do. Each mode returns the exit code, and throws Failure, or OpenclError
// where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int list_mode(const Options& options);
int pick_mode(const Options& options);

}  // namespace loratune
