// What --emit does. The mode returns the exit code, and throws Failure.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int emit_mode(const Options& options);

}  // namespace loratune
