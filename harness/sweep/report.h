// What a sweep tells its user at the end.
#pragma once

#include <string>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/sweep/replay.h"
#include "harness/worker/worker.h"

namespace loratune {

// Before an hour of work: throws Failure (kExitUsage) if the file could not be written, or what it
// holds not be merged with.
void require_writable(const std::string& path);

// Makes the tuned file of what was decided and merges it into the file at --out. Prints records,
// what became of the candidates, and what to do next; with a worker also the records' rates beside
// the device's limits. kExitGood, unless a default failed: kExitWrongResult or kExitDeviceFault.
ExitCode finish_sweep(const Options& options, const SweepResult& swept, Worker* worker);

}  // namespace loratune
