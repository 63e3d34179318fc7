#include "harness/check/covering.h"

#include <gtest/gtest.h>

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
