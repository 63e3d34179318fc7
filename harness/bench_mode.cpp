#include "harness/modes.h"

namespace loratune {

int bench_mode(const Options& /*options*/) { return kExitUsage; }

}  // namespace loratune
