// The few programs that a runtime has to compile to be nearly as fast everywhere as with all.
#pragma once

#include <cstddef>
#include <vector>

namespace loratune {

// `log_times[problem][program]`, NaN where that was not measured. Programs, most useful first, such
// that every problem has one among them whose time is within `regret` of its best, 0.03 being 3 %.
// Greedy: as few as can be found by always taking the one that serves the most problems not yet
// served, which is at most ln(problems) + 1 times the fewest. A problem without any time has none.
std::vector<std::size_t> portfolio(const std::vector<std::vector<double>>& log_times,
                                   double regret);

}  // namespace loratune
