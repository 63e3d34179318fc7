#include <cstdlib>

#include "harness/fleet/modes.h"

namespace loratune {

bool under_mpi() {
  // Open MPI sets the first variable, MPICH and its kin the second, launchers that speak PMIx the
  // third.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

}  // namespace loratune
