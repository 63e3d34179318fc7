// What --check does. Each mode returns the exit code, and throws Failure, or OpenclError
// where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int check_mode(const Options& options);

}  // namespace loratune
