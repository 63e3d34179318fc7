// A portfolio is the few programs that a runtime has to compile to be nearly as fast on every
// problem as with all programs.
#pragma once

#include <cstddef>
#include <vector>

namespace loratune {

// Chooses programs from ln times, `log_times[problem][program]`, where NaN is a time that was not
// measured. A program serves a problem if its time is at most (1 + regret) times the problem's
// best, and every problem with a time is served by a chosen program. The choice is greedy: the
// program that serves the most problems not yet served comes next, which takes at most ln(problems)
// + 1 times the fewest programs possible. The most useful program is first.
std::vector<std::size_t> portfolio(const std::vector<std::vector<double>>& log_times,
                                   double regret);

}  // namespace loratune
