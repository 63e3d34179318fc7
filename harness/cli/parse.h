// Reads the command line of lora-bench into Options.
#pragma once

#include "harness/base/options.h"

namespace loratune {

// Throws Failure (kExitUsage), with one line for the user, for a command line that no mode would
// follow to the letter: an option that the chosen mode does not read, or a value that is none.
Options parse_command_line(int argc, const char* const* argv);

}  // namespace loratune
