// The mode of this room: it returns the exit code, or throws Failure.
#pragma once

#include "harness/base/options.h"

namespace loratune {

// --report: writes what files of other modes hold as one page for a browser.
int report_mode(const Options& options);

}  // namespace loratune
