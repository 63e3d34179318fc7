// Prints the compact table that follows the benchmarks, in Markdown.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/problem_result.h"

namespace loratune {

// A row for each measured problem: our time (of the tuned pick, else of the default), the rivals'
// times, and the paired ratio of our time to the fastest other library's, with its interval. A
// ratio below 1 means that we are faster. A line of totals follows.
std::string bench_table(const std::vector<Problem>& problems,
                        const std::map<std::string, ProblemResult>& results);

}  // namespace loratune
