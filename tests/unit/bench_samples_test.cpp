#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "harness/bench/samples.h"

namespace loratune {
namespace {

Round round_of(std::vector<int> order) {
  Round round;
  round.order = std::move(order);
  return round;
}

RoundReply reply_of(std::vector<double> ns, std::vector<double> doubled = {}) {
  RoundReply reply;
  reply.ns = std::move(ns);
  reply.doubled_ns = std::move(doubled);
  return reply;
}

TEST(PairedSamples, AnArmsTimeIsTheLeastOfItsBlocksAndRatiosPairWithinARound) {
  PairedSamples samples(2);
  for (int r = 1; r <= 10; ++r) {  // the machine slows down ten-fold meanwhile
    samples.add(round_of({0, kCanary, 1, 1, 0}),
                reply_of({100.0 * r, 5, 220.0 * r, 200.0 * r, 130.0 * r}));
  }
  EXPECT_EQ(samples.rounds(0), 10);
  EXPECT_DOUBLE_EQ(samples.median_ns(0), 550);
  EXPECT_DOUBLE_EQ(samples.log_ratio(1, 0).median, std::log(2.0));
  EXPECT_DOUBLE_EQ(samples.log_ratio(1, 0).high, std::log(2.0));
}

TEST(PairedSamples, ARoundWithoutAnArmDoesNotCountForIt) {
  PairedSamples samples(2);
  samples.add(round_of({0, 1}), reply_of({100, 300}));
  samples.add(round_of({0}), reply_of({200}));
  EXPECT_EQ(samples.rounds(0), 2);
  EXPECT_EQ(samples.rounds(1), 1);
  EXPECT_EQ(samples.log_ratio(1, 0).count, 1);
}

TEST(PairedSamples, TheSlopeLeavesOutWhatABlockCostsOnce) {
  PairedSamples samples(1);  // 10 runs of 50 and 20 once: 52 a run, 51 in a doubled block
  samples.add(round_of({0}), reply_of({52}, {51}));
  EXPECT_DOUBLE_EQ(samples.slope_ns(0), 50);
  PairedSamples without(1);
  without.add(round_of({0}), reply_of({52}));
  EXPECT_EQ(without.slope_ns(0), 0);
}

TEST(Replay, GivesTheTimesInOrderAndThenAgain) {
  Replay replay({1e9, 2e9});
  EXPECT_DOUBLE_EQ(replay.next_seconds(), 1);
  EXPECT_DOUBLE_EQ(replay.next_seconds(), 2);
  EXPECT_DOUBLE_EQ(replay.next_seconds(), 1);
  EXPECT_THROW(Replay({}), std::invalid_argument);
}

TEST(RoundShape, IsCutDownOnlyWhereTheTimeIsTooShort) {
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 12, 20), (RoundShape{4, true}));
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 12 - 1, 20), (RoundShape{4, false}));
  EXPECT_EQ(shape_rounds({100, 100}, 20 * 200 * 4 - 1, 20), (RoundShape{2, false}));
}

}  // namespace
}  // namespace loratune
