// The files that a gate writes.
#pragma once

#include <string>

#include "harness/base/options.h"
#include "harness/gate/report.h"
#include "harness/gate/result.h"

namespace loratune {

// Throws Failure (kExitUsage) where a file of the run cannot be written, is one that it reads or
// writes too, or is there and no such file: nothing is measured then, and nothing is lost.
void try_files(const Options& options, bool replaying);

// Tries every file, whatever becomes of the others; `json` is the text of the result. Returns
// false, after a line for each, where one could not be written.
bool write_files(const Options& options, bool replaying, const GateResult& result,
                 const GateReport& report, const std::string& json);

}  // namespace loratune
