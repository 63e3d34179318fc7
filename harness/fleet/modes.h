// What --sweep does under an MPI launcher. Each mode returns the exit code, and throws Failure, or
// OpenclError where the device fails outside any one case.
#pragma once

#include "harness/base/options.h"

namespace loratune {

// Whether an MPI launcher started this process.
bool under_mpi();
// Sweeps over the devices of all ranks. A build without MPI throws Failure (kExitUsage).
int fleet_mode(const Options& options);

}  // namespace loratune
