// What --list, --forward and --convert do with an adapter. Each mode returns the exit code, and
// throws Failure, or OpenclError where the device fails.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int list_adapter_mode(const Options& options);
int forward_mode(const Options& options);
int convert_mode(const Options& options);

}  // namespace loratune
