// What lora-bench's modes do; each returns the exit code. They throw Failure, or cl::Error where
// the device fails outside any one case.
#pragma once

#include "harness/cli.h"

namespace loratune {

int list_mode(const Options& options);
int check_mode(const Options& options);
int sweep_mode(const Options& options);
int record_mode(const Options& options);    // --sweep --record
int simulate_mode(const Options& options);  // --replay of a recording
// A sweep over the devices of all ranks; under_mpi: whether an MPI launcher started this process.
// Without MPI in the build it throws Failure (kExitUsage).
bool under_mpi();
int fleet_mode(const Options& options);
int bench_mode(const Options& options);
int verify_mode(const Options& options);
int pick_mode(const Options& options);
int merge_mode(const Options& options);
int export_plans_mode(const Options& options);
int gate_mode(const Options& options);  // --replay of a gate too
int worker_mode();

}  // namespace loratune
