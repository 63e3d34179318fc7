#include "harness/modes.h"
namespace loratune {
int sweep_mode(const Options&) { return kExitUsage; }
}  // namespace loratune
