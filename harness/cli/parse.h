// From words to Options.
#pragma once

#include "harness/base/options.h"

namespace loratune {

// Throws Failure with kExitUsage.
Options parse_command_line(int argc, const char* const* argv);

}  // namespace loratune
