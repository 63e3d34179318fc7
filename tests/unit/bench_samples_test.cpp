#include <gtest/gtest.h>

#include <stdexcept>

#include "harness/bench/samples.h"

namespace loratune {
namespace {

TEST(SampleFeed, GivesTheTimesInOrderAndThenAgain) {
  SampleFeed feed({1e9, 2e9});
  EXPECT_DOUBLE_EQ(feed.next_seconds(), 1);
  EXPECT_DOUBLE_EQ(feed.next_seconds(), 2);
  EXPECT_DOUBLE_EQ(feed.next_seconds(), 1);
  EXPECT_THROW(SampleFeed({}), std::invalid_argument);
}

TEST(RoundShape, IsCutDownOnlyWhereTheTimeIsTooShort) {
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 12, 20), (RoundShape{4, true}));
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 12 - 1, 20), (RoundShape{4, false}));
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 4 - 1, 20), (RoundShape{2, false}));
}

}  // namespace
}  // namespace loratune
