// A fleet's clock, by which a rank that is silent is given up.
#include "harness/fleet/active_clock.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

TEST(ActiveClock, GoesWithTheTimeOfALoopThatRuns) {
  ActiveClock clock(1000);
  double now = 1000;
  for (int i = 0; i < 100; ++i) clock.at(now += 0.25);
  EXPECT_DOUBLE_EQ(clock.at(now), 25);
}

TEST(ActiveClock, CountsAStopOfTheWholeJobAsASecond) {
  ActiveClock clock(1000);
  EXPECT_DOUBLE_EQ(clock.at(1000), 0);
  EXPECT_DOUBLE_EQ(clock.at(1000.5), 0.5);
  EXPECT_DOUBLE_EQ(clock.at(5000), 1.5) << "stopped, and nobody could be heard";
  EXPECT_DOUBLE_EQ(clock.at(5000.5), 2);
}

}  // namespace
}  // namespace loratune
