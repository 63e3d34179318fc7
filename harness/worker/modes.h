// What --worker does: the process that a Worker starts.
#pragma once

namespace loratune {

// Serves requests until its input ends; returns the exit code. Throws Failure (kExitUsage) where no
// Worker started it.
int worker_mode();

}  // namespace loratune
