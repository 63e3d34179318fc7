#include "harness/check/covering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

namespace loratune {
namespace {

using Rows = std::vector<std::vector<int>>;

// By definition, not by the bookkeeping of the code under test.
bool covers(const std::vector<int>& sizes, const Rows& rows) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t j = i + 1; j < sizes.size(); ++j) {
      std::set<std::pair<int, int>> pairs;
      for (const auto& row : rows) pairs.emplace(row[i], row[j]);
      if (pairs.size() != static_cast<std::size_t>(sizes[i]) * static_cast<std::size_t>(sizes[j])) {
        return false;
      }
    }
  }
  return true;
}

const std::vector<std::vector<int>> kAxes = {
    {2, 2}, {2, 3, 4}, {1, 5, 1, 3}, {3, 3, 3, 3}, {6, 9, 8, 7, 4, 2, 2}, {10, 1, 2, 10, 3}};

TEST(CoveringSet, HoldsEveryPairOfValuesOfEveryTwoAxes) {
  for (const auto& sizes : kAxes) {
    const Rows rows = covering_set(sizes);
    EXPECT_TRUE(covers(sizes, rows)) << testing::PrintToString(sizes);
    for (const auto& row : rows) {
      ASSERT_EQ(row.size(), sizes.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        EXPECT_GE(row[i], 0);
        EXPECT_LT(row[i], sizes[i]);
      }
    }
  }
}

TEST(CoveringSet, DoesNotCoverWithoutItsLastRow) {
  for (const auto& sizes : kAxes) {
    Rows rows = covering_set(sizes);
    ASSERT_FALSE(rows.empty());
    rows.pop_back();
    EXPECT_FALSE(covers(sizes, rows)) << testing::PrintToString(sizes);
  }
}

TEST(CoveringSet, HoldsNoExcludedPairAndEveryOther) {
  const std::vector<int> sizes = {4, 3, 4, 4, 4, 3, 2, 2};
  const std::vector<Excluded> excluded = {{2, 0, 5, 0}, {2, 0, 5, 1}, {7, 1, 0, 2}};
  const Rows rows = covering_set(sizes, excluded);
  const auto holds = [&](std::size_t i, int a, std::size_t j, int b) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const auto& row) { return row[i] == a && row[j] == b; });
  };
  for (const auto& [axis, value, other_axis, other] : excluded) {
    EXPECT_FALSE(holds(axis, value, other_axis, other));
  }
  Rows with_excluded = rows;  // each excluded pair once, so that only these may have been missing
  for (const auto& [axis, value, other_axis, other] : excluded) {
    with_excluded.emplace_back(sizes.size(), 0);
    for (std::size_t i = 0; i < sizes.size(); ++i) with_excluded.back()[i] = rows.front()[i];
    with_excluded.back()[axis] = value;
    with_excluded.back()[other_axis] = other;
  }
  EXPECT_FALSE(covers(sizes, rows));
  EXPECT_TRUE(covers(sizes, with_excluded));
}

TEST(CoveringSet, IsFarSmallerThanTheProduct) {
  const std::vector<int> sizes = {6, 9, 8, 7, 4, 2, 2};
  const int product = std::accumulate(sizes.begin(), sizes.end(), 1, std::multiplies<>());
  const std::size_t rows = covering_set(sizes).size();
  EXPECT_GE(rows, 72U);  // the two longest axes alone
  EXPECT_LE(rows, 144U);
  EXPECT_LT(static_cast<int>(rows), product / 100);
}

TEST(CoveringSet, IsTheSameEachTime) {
  EXPECT_EQ(covering_set({4, 3, 5, 2}), covering_set({4, 3, 5, 2}));
}

}  // namespace
}  // namespace loratune
