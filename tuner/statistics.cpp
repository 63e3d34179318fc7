#include "tuner/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loratune {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double median_of_sorted(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

double median(std::span<const double> values) { return median_of_sorted(sorted(values)); }

double geometric_mean(std::span<const double> values) {
  if (values.size() == 1) return values.front();
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

double quantile(std::span<const double> values, double q) {
  return quantile_of_sorted(sorted(values), q);
}

double quantile_of_sorted(std::span<const double> ordered, double q) {
  if (ordered.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = std::clamp(q, 0.0, 1.0) * static_cast<double>(ordered.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ordered.size() - 1);
  return ordered[below] +
         (position - static_cast<double>(below)) * (ordered[above] - ordered[below]);
}

OrderRanks median_ranks(int n, double wanted_level) {
  constexpr int kFewest = 6;
  constexpr double kRounding = 1e-12;  // of the sum below, so that an exact level is reached
  if (n >= kFewest) {
    // x(j)..x(n+1-j) holds the median when j to n-j values lie below it. That probability is summed
    // from the middle outwards: nothing underflows, and the first j that suffices is the narrowest.
    double weight = 1;
    for (int i = 1; i <= (n + 1) / 2; ++i) weight *= (2.0 * i - 1) / (2.0 * i);
    int low = n / 2;
    double level = n % 2 == 0 ? weight : 2 * weight;
    while (level < wanted_level - kRounding && low > 1) {
      weight *= static_cast<double>(low) / (n - low + 1);  // binomial(n, low - 1) from (n, low)
      level += 2 * weight;
      --low;
    }
    if (level >= wanted_level - kRounding) return {low, n + 1 - low, level};
  }
  return {0, n + 1, 1.0};
}

MedianInterval median_interval(std::span<const double> values, double wanted_level) {
  const std::vector<double> ordered = sorted(values);
  const int n = static_cast<int>(ordered.size());
  const OrderRanks ranks = median_ranks(n, wanted_level);
  MedianInterval interval{};
  interval.median = median_of_sorted(ordered);
  interval.low = -std::numeric_limits<double>::infinity();
  interval.high = std::numeric_limits<double>::infinity();
  if (ranks.low > 0) {
    interval.low = ordered[static_cast<std::size_t>(ranks.low - 1)];
    interval.high = ordered[static_cast<std::size_t>(ranks.high - 1)];
  }
  interval.level = ranks.level;
  interval.count = n;
  return interval;
}

}  // namespace loratune
