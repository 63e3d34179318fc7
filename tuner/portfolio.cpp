#include "tuner/portfolio.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loratune {

std::vector<std::size_t> portfolio(const std::vector<std::vector<double>>& log_times,
                                   double regret) {
  const double within = std::log1p(regret);
  std::vector<double> limit;  // of each problem that is not served yet
  for (const auto& row : log_times) {
    double best = std::numeric_limits<double>::infinity();
    for (const double time : row) best = std::fmin(best, time);
    // Nothing is at most NaN: a problem without a time is served by no program and waits for none.
    limit.push_back(std::isfinite(best) ? best + within : std::nan(""));
  }
  const std::size_t programs = log_times.empty() ? 0 : log_times.front().size();
  std::vector<std::size_t> chosen;
  for (;;) {
    std::size_t most_useful = 0;
    std::ptrdiff_t most = 0;
    for (std::size_t program = 0; program < programs; ++program) {
      std::ptrdiff_t serves = 0;
      for (std::size_t i = 0; i < limit.size(); ++i) {
        if (log_times[i][program] <= limit[i]) ++serves;
      }
      if (serves <= most) continue;
      most = serves;
      most_useful = program;
    }
    if (most == 0) return chosen;
    chosen.push_back(most_useful);
    for (std::size_t i = 0; i < limit.size(); ++i) {
      if (log_times[i][most_useful] <= limit[i]) limit[i] = std::nan("");
    }
  }
}

}  // namespace loratune
