#include "tuner/paired_samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace loratune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

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
  PairedSamples steeper(1);  // a doubled block that takes less than the block itself
  steeper.add(round_of({0}), reply_of({52}, {20}));
  EXPECT_EQ(steeper.slope_ns(0), 0);
}

TEST(PairedSamples, ABlockWithoutATimeCountsForNothing) {
  PairedSamples samples(2);
  for (const double wrong : {0.0, -1.0, kNan, std::numeric_limits<double>::infinity()}) {
    samples.add(round_of({0, 1, 1}), reply_of({100, wrong, 200}));
    samples.add(round_of({0, 1, 1}), reply_of({100, wrong, wrong}));
  }
  EXPECT_EQ(samples.rounds(0), 8);
  EXPECT_EQ(samples.times_ns(1), std::vector<double>(4, 200));
  EXPECT_EQ(samples.log_ratios(1, 0), std::vector<double>(4, std::log(2.0)));
}

TEST(PairedSamples, OverSeveralProblemsATimeIsTheGeometricMean) {
  PairedSamples samples(3);
  const std::vector<RoundReply> replies = {reply_of({100, 200, 100}, {90, 180, 90}),
                                           reply_of({400, 400, kNan}, {360, 360, 360})};
  samples.add(round_of({0, 1, 2}), replies);
  EXPECT_NEAR(samples.median_ns(0), 200, 1e-9);
  EXPECT_NEAR(samples.slope_ns(0), 160, 1e-9);
  EXPECT_NEAR(samples.log_ratios(1, 0).at(0), std::log(2.0) / 2, 1e-12);
  EXPECT_EQ(samples.rounds(2), 0) << "it has no time on the second problem";
}

TEST(PairedSamples, SevenRoundsAreTheFewestForAnIntervalOfTheUsualLevel) {
  PairedSamples samples(2);
  for (int rounds = 1; rounds <= 7; ++rounds) {
    samples.add(round_of({0, 1}), reply_of({100, 200}));
    EXPECT_EQ(std::isfinite(samples.log_ratio(1, 0).low), rounds >= 7) << rounds;
  }
}

TEST(PairedSamples, WithoutARoundThereIsNoMedian) {
  const PairedSamples samples(1);
  EXPECT_EQ(samples.rounds(0), 0);
  EXPECT_TRUE(std::isnan(samples.median_ns(0)));
  EXPECT_EQ(samples.slope_ns(0), 0);
  EXPECT_EQ(samples.log_ratio(0, 0).count, 0);
}

}  // namespace
}  // namespace loratune
