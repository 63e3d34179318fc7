#include "harness/modes.h"

namespace loratune {

int verify_mode(const Options& /*options*/) { return kExitUsage; }

}  // namespace loratune
