#include "harness/process/thread_times.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "harness/base/clock.h"

namespace loratune {
namespace {

using Times = std::map<std::string, ThreadTimes>;

TEST(KeptWaiting, IsNothingForAProcessThatSleepsOrRuns) {
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}}, {{"1", {3, 4}}}, 10), 0) << "it sleeps";
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}}, {{"1", {13, 4}}}, 10), 0) << "it runs";
  EXPECT_EQ(kept_waiting({}, {}, 10), 0) << "the system does not say";
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}}, {}, 10), 0) << "it has ended";
}

TEST(KeptWaiting, IsWhatTheThreadThatWaitedLongestMissed) {
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}}, {{"1", {5, 12}}}, 10), 8);
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}, {"2", {0, 0}}}, {{"1", {3, 6}}, {"2", {0, 5}}}, 10), 5);
  EXPECT_EQ(kept_waiting({{"1", {3, 4}}}, {{"1", {3, 4}}, {"2", {1, 6}}}, 10), 6) << "a new thread";
}

// Of two threads that take turns each is looked at while it works, so the waits of both count.
TEST(KeptWaiting, AddsUpOverThreadsThatTakeTurns) {
  const Times begin = {{"1", {0, 0}}, {"2", {0, 0}}};
  const Times middle = {{"1", {0.25, 0.75}}, {"2", {0, 0}}};
  const Times end = {{"1", {0.25, 0.75}}, {"2", {0.25, 0.75}}};
  EXPECT_EQ(kept_waiting(begin, middle, 1) + kept_waiting(middle, end, 1), 1.5);
}

// One of eight threads always waits, but the process comes to its deadline.
TEST(KeptWaiting, LeavesTheSecondsInWhichAnyThreadRan) {
  Times begin;
  Times end;
  for (const char* const thread : {"1", "2", "3", "4", "5", "6", "7", "8"}) {
    begin[thread] = {0, 0};
    end[thread] = {2.5, 7.5};
  }
  EXPECT_EQ(kept_waiting(begin, end, 10), 7.5);
  end["1"] = {9, 1};
  EXPECT_EQ(kept_waiting(begin, end, 10), 1);
}

TEST(ThreadTimes, AreThoseOfEachThreadOfAProcess) {
  const std::string self = std::to_string(gettid());
  const Times before = thread_times(getpid());
  ASSERT_TRUE(before.contains(self)) << "/proc says nothing of threads";
  const double until = seconds_now() + 0.05;
  while (seconds_now() < until) {
  }
  const Times after = thread_times(getpid());
  EXPECT_GT(after.at(self).ran, before.at(self).ran);
  EXPECT_GE(after.at(self).waited, before.at(self).waited);
  EXPECT_TRUE(thread_times(1 << 30).empty());
}

}  // namespace
}  // namespace loratune
