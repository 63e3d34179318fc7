// This build, as the files that it writes name it.
#pragma once

#include "loratune/dispatch/tuned_file.h"

namespace loratune {

ToolInfo tool_info();

}  // namespace loratune
