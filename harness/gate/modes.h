// What --export-plans, --gate, --replay of a gate and --verify do. Each mode returns the exit code,
// and throws Failure, or OpenclError where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

int export_plans_mode(const Options& options);
int gate_mode(const Options& options);
int verify_mode(const Options& options);

}  // namespace loratune
