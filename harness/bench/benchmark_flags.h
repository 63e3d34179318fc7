// The flags of Google Benchmark that --bench was given, and what the library would not refuse in
// them: it prints its usage and ends with 0 for an unknown value, and empties the file of
// --benchmark_out before anything is measured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/options.h"

namespace loratune {

// Those of the library's variables, as BENCHMARK_FILTER, then those of the command line, which
// count more. Throws Failure (kExitUsage) for values that are none, and for a file of
// --benchmark_out that cannot be written, is read, or is no result of --bench.
std::vector<std::string> benchmark_flags(const Options& options);

// Whether `--benchmark_...` is among them, with or without a value.
bool has_flag(const std::vector<std::string>& flags, std::string_view name);

// The last value that counts; `otherwise` where there is none.
std::string value_of(const std::vector<std::string>& flags, std::string_view name,
                     std::string otherwise);

// Whether a flag that is on or off is on, as the library reads it.
bool is_on(const std::vector<std::string>& flags, std::string_view name);

// Whether a value, as of --benchmark_color, means on.
bool means_on(std::string_view value);

// Hands the flags to the library. It is not told the file of --benchmark_out, only that there is
// one. Throws Failure (kExitUsage) for a flag that it does not know.
void initialize_benchmark(const std::vector<std::string>& flags);

}  // namespace loratune
