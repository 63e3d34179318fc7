// Statistics of small samples that assume no distribution: medians, quantiles, and the exact
// interval of a median.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace loratune {

// Median; the mean of the two middle values for an even count. NaN for no values.
double median(std::span<const double> values);

// Value at quantile q in [0, 1], linear between order statistics. NaN for no values.
double quantile(std::span<const double> values, double q);
// The same of values that rise already.
double quantile_of_sorted(std::span<const double> values, double q);

// Of one value it is that value, to the bit. NaN for no values.
double geometric_mean(std::span<const double> values);

// The interval of the median that order statistics give with no assumption on the distribution
// but independence: the number of values below the median is binomial(n, 1/2). `level` is the
// exact coverage. With fewer than 6 values the interval is unbounded and the level is 1.
struct MedianInterval {
  double median, low, high, level;
  int count;
};

// The narrowest symmetric order-statistic interval with coverage of at least `wanted_level`.
MedianInterval median_interval(std::span<const double> values, double wanted_level);

// Ranks (from 1) of that interval in n sorted values: {0, n + 1} when n is too small.
struct OrderRanks {
  int low, high;
  double level;
};
OrderRanks median_ranks(int n, double wanted_level);

}  // namespace loratune
