// Stands for fleet_mode.cpp in a build without MPI.
#include "harness/base/failure.h"
#include "harness/fleet/modes.h"

namespace loratune {

int fleet_mode(const Options& /*options*/) {
  throw Failure(kExitUsage,
                "this build is without MPI, but an MPI launcher started it; --shard needs none");
}

}  // namespace loratune
