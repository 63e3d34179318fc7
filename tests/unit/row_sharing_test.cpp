#include "variants/internal/row_sharing.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

TEST(RowSharing, OneThreadDoesAllRows) {
  for (const std::int64_t block : {1, 4, 100}) {
    EXPECT_EQ(rows_of_the_last(37, block, 1, 50, 1), 37) << block;
  }
}

TEST(RowSharing, ThreadsThatAreAwakeEndTogetherWhereBlocksAreSmall) {
  EXPECT_EQ(rows_of_the_last(64, 1, 2, 0, 1), 32);
  EXPECT_EQ(rows_of_the_last(64, 4, 4, 0, 1), 16);
}

// The first thread takes its half at once; the second, awake ten rows later, half of the other
// half; the first, done before it, a share of the rest.
TEST(RowSharing, WhoWakesUpLateHasLess) {
  const double last = rows_of_the_last(64, 1, 2, 10, 1);
  EXPECT_GE(last, 37) << "37 is what an ideal split gives";
  EXPECT_LT(last, 40);
  EXPECT_EQ(rows_of_the_last(8, 8, 2, 10, 1), 8) << "one block is the first thread's";
}

TEST(RowSharing, LargeBlocksLeaveOneThreadMoreThanAnother) {
  EXPECT_EQ(rows_of_the_last(60, 20, 2, 0, 1), 40);
  EXPECT_EQ(rows_of_the_last(60, 30, 2, 0, 1), 30);
}

TEST(RowSharing, ASlowerThreadEndsLater) { EXPECT_EQ(rows_of_the_last(2, 1, 2, 0, 1.5), 1.5); }

TEST(RowSharing, SoManyThreadsAreNotLookedAtOneByOne) {
  EXPECT_EQ(rows_of_the_last(1 << 20, 4, 1 << 30, 10, 1.2),
            rows_of_the_last(1 << 20, 4, kMostThreads, 10, 1.2));
}

// Above so many blocks the loop is left out: the two must agree there.
TEST(RowSharing, OfManyBlocksIsNearWhatHandingThemOutGives) {
  const double few = rows_of_the_last(16 * 2 * 4, 4, 2, 10, 1.2) / (16 * 2 * 4);
  const double many = rows_of_the_last(16 * 2 * 4 + 1, 4, 2, 10, 1.2) / (16 * 2 * 4 + 1);
  EXPECT_NEAR(few, many, 0.03);
}

TEST(RowSharing, CountsRowsPastTheEndLoadsAndTheHandingOut) {
  const SharingCosts free_of_cost = {0, 0, 1};
  const SharingCosts dear_blocks = {0, 1000, 1};
  const auto flops = [&](std::int64_t m, const RowCut& cut, const SharingCosts& costs) {
    return flops_of_the_last(m, 100, cut, 1, costs);
  };
  EXPECT_GT(flops(5, {4, 1, 0}, free_of_cost), flops(5, {1, 5, 0}, free_of_cost) * 5 / 4 / 2.5)
      << "a tile of four loads weights a fourth as often";
  EXPECT_GT(flops(5, {4, 1, 0}, free_of_cost) - flops(4, {4, 1, 0}, free_of_cost),
            flops(8, {4, 1, 0}, free_of_cost) - flops(7, {4, 1, 0}, free_of_cost))
      << "the first row of a tile brings three past the end";
  EXPECT_EQ(flops(8, {4, 1, 0}, dear_blocks) - flops(8, {4, 1, 0}, free_of_cost), 2000);
  EXPECT_EQ(flops(8, {4, 2, 0}, dear_blocks) - flops(8, {4, 2, 0}, free_of_cost), 1000);
  EXPECT_GT(flops(8, {4, 1, 0.2}, free_of_cost), flops(8, {4, 2, 0.2}, free_of_cost))
      << "a block reads the weights once";
}

}  // namespace
}  // namespace loratune
