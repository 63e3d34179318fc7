#include "tuner/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "tuner/random.h"

namespace loratune {
namespace {

// P(j <= binomial(n, 1/2) <= n - j), by integers: exact for n <= 62.
double exact_coverage(int n, int j) {
  std::vector<std::uint64_t> row = {1};
  for (int i = 1; i <= n; ++i) {
    row.push_back(1);
    for (std::size_t c = row.size() - 2; c > 0; --c) row[c] += row[c - 1];
  }
  std::uint64_t sum = 0;
  for (int c = j; c <= n - j; ++c) sum += row[static_cast<std::size_t>(c)];
  return std::ldexp(static_cast<double>(sum), -n);
}

TEST(Statistics, MedianAndQuantile) {
  const std::array<double, 5> odd = {5, 1, 4, 2, 3};
  const std::array<double, 4> even = {4, 1, 3, 2};
  EXPECT_EQ(median(odd), 3);
  EXPECT_EQ(median(even), 2.5);
  EXPECT_EQ(quantile(odd, 0), 1);
  EXPECT_EQ(quantile(odd, 1), 5);
  EXPECT_DOUBLE_EQ(quantile(odd, 0.1), 1.4);
  EXPECT_EQ(quantile(even, 0.5), median(even));
  EXPECT_TRUE(std::isnan(median({})));
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
  const std::array<double, 5> rising = {1, 2, 3, 4, 5};
  for (const double q : {0.0, 0.1, 0.37, 1.0}) {
    EXPECT_EQ(quantile_of_sorted(rising, q), quantile(odd, q)) << q;
  }
}

TEST(Statistics, RanksAreTheNarrowestThatCoverByExactSums) {
  for (const double wanted : {0.9, 0.95, 0.975, 0.99, 0.999}) {
    for (int n = 0; n <= 62; ++n) {
      const OrderRanks ranks = median_ranks(n, wanted);
      if (ranks.low == 0) {
        EXPECT_EQ(ranks.high, n + 1);
        EXPECT_EQ(ranks.level, 1);
        EXPECT_TRUE(n < 6 || exact_coverage(n, 1) < wanted) << n;
        continue;
      }
      EXPECT_EQ(ranks.low + ranks.high, n + 1);
      EXPECT_NEAR(ranks.level, exact_coverage(n, ranks.low), 1e-12) << n;
      EXPECT_GE(ranks.level, wanted) << n;
      if (2 * ranks.low < n) {
        EXPECT_LT(exact_coverage(n, ranks.low + 1), wanted) << n;
      }
    }
  }
}

TEST(Statistics, RanksAtTheLooks) {
  const auto expect = [](int n, int low, int high, double level) {
    const OrderRanks ranks = median_ranks(n, 0.975);
    EXPECT_EQ(ranks.low, low) << n;
    EXPECT_EQ(ranks.high, high) << n;
    EXPECT_NEAR(ranks.level, level, 5e-4) << n;
  };
  expect(10, 2, 9, 0.9785);
  expect(20, 5, 16, 0.9882);
  expect(40, 13, 28, 0.9834);
  expect(80, 30, 51, 0.9817);
}

TEST(Statistics, LargeSamplesDoNotUnderflow) {
  const int n = 100'000;
  const OrderRanks ranks = median_ranks(n, 0.975);
  EXPECT_NEAR(ranks.low, 0.5 * n - 2.2414 * std::sqrt(n) / 2, 2);  // the normal approximation
  EXPECT_NEAR(ranks.level, 0.975, 1e-3);
}

TEST(Statistics, AnExactLevelIsReached) {
  EXPECT_EQ(median_ranks(6, exact_coverage(6, 1)).low, 1);
  EXPECT_EQ(median_ranks(40, exact_coverage(40, 13)).low, 13);
}

TEST(Statistics, IntervalOfFewValuesIsUnbounded) {
  const std::array<double, 5> values = {1, 2, 3, 4, 5};
  const MedianInterval interval = median_interval(values, 0.5);
  EXPECT_EQ(interval.median, 3);
  EXPECT_EQ(interval.low, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(interval.high, std::numeric_limits<double>::infinity());
  EXPECT_EQ(interval.level, 1);
  EXPECT_EQ(interval.count, 5);
}

// Exact coverage is a promise: neither too narrow nor, beyond its own level, too wide.
TEST(Statistics, IntervalCoversTheMedianAsOftenAsItSays) {
  Random random(1);
  for (const int n : {10, 20, 40}) {
    const int trials = 20'000;
    int covered = 0;
    double level = 0;
    for (int trial = 0; trial < trials; ++trial) {
      std::vector<double> values;
      for (int i = 0; i < n; ++i) {
        // Very skewed, with median 1: an odd power keeps it.
        const double u = static_cast<double>(random.below(1U << 30)) / (1U << 29);
        values.push_back(std::pow(u, 7));
      }
      const MedianInterval interval = median_interval(values, 0.975);
      covered += interval.low <= 1 && 1 <= interval.high ? 1 : 0;
      level = interval.level;
    }
    EXPECT_NEAR(static_cast<double>(covered) / trials, level, 0.004) << n;
  }
}

}  // namespace
}  // namespace loratune
