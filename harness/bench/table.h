// The compact table after the benchmarks, in Markdown.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/session.h"

namespace loratune {

// One row a problem that was measured: our time (the tuned pick, else the default), the rivals'
// times, and ours against the fastest rival that is not ours, paired, with its interval. Below 1 we
// are faster. A line of totals follows.
std::string bench_table(const std::vector<Problem>& problems,
                        const std::map<std::string, ProblemResult>& results);

}  // namespace loratune
