// An Input is a file that a report is made of, known by what it holds and not by its name.
#pragma once

#include <string>
#include <variant>

#include "harness/gate/result.h"
#include "harness/record/recording.h"
#include "harness/report/bench_file.h"
#include "harness/sweep/journal.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

struct Input {
  std::string path;
  std::variant<TunedFile, JournalContent, Recording, BenchFile, GateResult> content;
};

// Throws Failure (kExitUsage) with one line for a file that cannot be read or is of no such kind.
// Each may be compressed by gzip.
Input read_input(const std::string& path);

}  // namespace loratune
