#include "harness/modes.h"
namespace loratune {
int worker_mode() { return kExitUsage; }
}  // namespace loratune
