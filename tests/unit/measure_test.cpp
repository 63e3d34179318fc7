#include "harness/timing/measure.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace loratune {
namespace {

// Two launches of 2 and 3 us in a block of 20 us.
const std::vector<EventTimes> kSound = {{1000, 2000, 3000, 5000}, {1200, 2500, 5000, 8000}};
constexpr double kWallNs = 20'000;

TEST(EventClock, IsBelievedWhereItIsSound) {
  EXPECT_EQ(event_clock_fault(kSound, kWallNs), "");
  // QUEUED, SUBMIT and START may be one moment; so may an END and the next START.
  EXPECT_EQ(event_clock_fault({{5, 5, 5, 1005}, {5, 5, 1005, 2005}}, kWallNs), "");
}

TEST(EventClock, IsNotBelievedWithEachFault) {
  const auto fault = [](auto change) {
    std::vector<EventTimes> times = kSound;
    change(times);
    return event_clock_fault(times, kWallNs);
  };
  EXPECT_NE(fault([](auto& t) { t.clear(); }), "");
  EXPECT_NE(fault([](auto& t) { t[0].queued = 2001; }), "");
  EXPECT_NE(fault([](auto& t) { t[0].submitted = 3001; }), "");
  EXPECT_NE(fault([](auto& t) { t[1].end = t[1].start; }), "");
  EXPECT_NE(fault([](auto& t) { t[1].end = t[1].start - 1; }), "");
  EXPECT_NE(fault([](auto& t) { t[1].start = 4999; }), "") << "overlaps the first";
  EXPECT_NE(fault([](auto& t) { t[1].end = 5000 + 18'001; }), "") << "longer than the wall";
  EXPECT_NE(fault([](auto& t) { t[1] = t[0]; }), "");
  EXPECT_NE(fault([](auto& t) { t[0] = t[1] = {0, 0, 0, 0}; }), "");
  const auto never = std::numeric_limits<std::uint64_t>::max();
  EXPECT_NE(fault([&](auto& t) { t[1].end = never; }), "");
}

// rusticl answers with small ordinals where it has no clock.
TEST(EventClock, IsNotBelievedWhereItCountsInsteadOfTiming) {
  EXPECT_NE(event_clock_fault({{0, 1, 2, 3}}, kWallNs), "");
  EXPECT_NE(event_clock_fault({{0, 1, 2, 3}, {0, 1, 2, 3}}, kWallNs), "");
  EXPECT_NE(event_clock_fault({{0, 1, 2, 3}, {4, 5, 6, 7}}, kWallNs), "");
}

TEST(BlockRuns, FillAMillisecondWithinTheirBounds) {
  EXPECT_EQ(block_runs(1), 32);
  EXPECT_EQ(block_runs(1e6 / 32), 32);
  EXPECT_EQ(block_runs(50e3), 20);
  EXPECT_EQ(block_runs(125e3), 8);
  EXPECT_EQ(block_runs(400e3), 8);
  EXPECT_EQ(runs_of_a_millisecond(400e3), 2);
  EXPECT_EQ(runs_of_a_millisecond(1), 32);
  EXPECT_EQ(runs_of_a_millisecond(5e6), 1);
  EXPECT_EQ(block_runs(130e3), 8);
  EXPECT_EQ(block_runs(999'999), 8);
  EXPECT_EQ(block_runs(1e6), 1);
  EXPECT_EQ(block_runs(1e12), 1);
}

TEST(BlockRuns, StayWithinTheirBoundsWhereTheTimeIsNone) {
  EXPECT_EQ(block_runs(0), 32);
  EXPECT_GE(block_runs(-5), 1);
  EXPECT_EQ(block_runs(std::numeric_limits<double>::infinity()), 1);
}

// A spin of 2 ns a step; every look but each third is slowed by a busy machine.
TEST(SpinLength, IsNotShortenedByABusyMachine) {
  int looks = 0;
  const auto time_ns = [&](int length) { return 2.0 * length + (++looks % 3 == 0 ? 0 : 1e6); };
  EXPECT_EQ(spin_length(200e3, time_ns), 1 << 17);
  EXPECT_EQ(spin_length(200e3, [](int length) { return 2.0 * length; }), 1 << 17);
  EXPECT_EQ(spin_length(1, [](int length) { return 2.0 * length; }), 256);
}

TEST(SpinLength, OfALoopThatDoesNotRunIsAFault) {
  EXPECT_THROW(spin_length(200e3, [](int) { return 5000.0; }), std::runtime_error);
}

TEST(StealTicks, NeverFall) {
  const std::uint64_t before = steal_ticks();
  EXPECT_GE(steal_ticks(), before);
}

}  // namespace
}  // namespace loratune
