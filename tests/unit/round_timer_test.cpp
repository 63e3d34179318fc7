#include "harness/timing/round_timer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace loratune {
namespace {

struct Counted {
  int runs = 0, restored = 0;
  TimedArm arm;

  explicit Counted(std::chrono::milliseconds a_run) {
    arm.run = [this, a_run] {
      ++runs;
      if (a_run.count() > 0) std::this_thread::sleep_for(a_run);
    };
    arm.finish = [] {};
    arm.restore = [this] { ++restored; };
  }
};

// What one run takes that is waited for says little of what it takes among others.
TEST(Probe, OfShortRunsIsOfBlocksOfThemToo) {
  Counted counted(std::chrono::milliseconds(0));
  EXPECT_GE(probe_ns(counted.arm), 0);
  EXPECT_EQ(counted.restored, 3) << "blocks";
  EXPECT_GE(counted.runs, 5 + 3 * 8);
}

TEST(Probe, OfALongRunIsOne) {
  Counted counted(std::chrono::milliseconds(3));
  EXPECT_GE(probe_ns(counted.arm), 3e6);
  EXPECT_EQ(counted.runs, 1);
  EXPECT_EQ(counted.restored, 0);
}

}  // namespace
}  // namespace loratune
