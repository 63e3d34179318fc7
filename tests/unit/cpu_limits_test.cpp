#include "engine/internal/cpu_limits.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

TEST(UsableCpus, TheLeastOfUnitsAffinityAndQuotas) {
  EXPECT_EQ(usable_cpus(4, {4, {}}), 0);
  EXPECT_EQ(usable_cpus(4, {64, {"max 100000"}}), 0) << "more than the device counts";
  EXPECT_EQ(usable_cpus(4, {1, {}}), 1);
  EXPECT_EQ(usable_cpus(4, {4, {"150000 100000"}}), 1.5);
  EXPECT_EQ(usable_cpus(4, {1, {"150000 100000"}}), 1);
  EXPECT_EQ(usable_cpus(4, {4, {"300000 100000", "25000 50000", "max 100000"}}), 0.5)
      << "a group's limit counts for those in it";
  EXPECT_EQ(usable_cpus(4, {4, {"400000 100000"}}), 0);
  EXPECT_EQ(usable_cpus(4, {4, {"133333 100000"}}), 1.33);
  EXPECT_EQ(usable_cpus(1, {1, {"1 1000000"}}), 0.01);
}

// It computes in one thread, and functions of the process may have more.
TEST(UsableCpus, OfOneUnitAreAllOfTheProcess) {
  EXPECT_EQ(usable_cpus(1, {16, {}}), 16);
  EXPECT_EQ(usable_cpus(1, {16, {"150000 100000"}}), 1.5);
  EXPECT_EQ(usable_cpus(1, {1, {}}), 0);
  EXPECT_EQ(usable_cpus(1, {}), 0);
}

TEST(UsableCpus, WhatCannotBeReadIsNoLimit) {
  EXPECT_EQ(usable_cpus(4, {}), 0);
  for (const char* quota : {"", " ", "max", "150000", "150000 ", "150000 x", "0 100000",
                            "-1 100000", "150000 0", "x 100000", "99999999999999999999 100000"}) {
    EXPECT_EQ(usable_cpus(4, {4, {quota}}), 0) << quota;
  }
}

TEST(CpuLimits, ThisProcessMayRunSomewhere) { EXPECT_GT(cpu_limits().allowed, 0); }

}  // namespace
}  // namespace loratune
