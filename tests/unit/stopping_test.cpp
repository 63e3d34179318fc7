#include "tuner/stopping.h"

#include <gtest/gtest.h>

#include <vector>

namespace loratune {
namespace {

TEST(Looks, AreReadAtTheirRoundsAndEndWithTheLast) {
  const Looks looks = {{10, 20, 40}};
  std::vector<int> read;
  int rounds = 0;
  do {
    if (looks.reads_after(++rounds)) read.push_back(rounds);
  } while (!looks.ends_after(rounds));
  EXPECT_EQ(read, looks.rounds);
  EXPECT_EQ(rounds, looks.last());
  EXPECT_EQ(looks.first(), 10);
}

TEST(Looks, AreValidWhereNoneComesBeforeTheOneBeforeIt) {
  EXPECT_FALSE(Looks{}.valid());
  EXPECT_FALSE((Looks{{40, 20}}).valid());
  for (const Looks& looks :
       {Looks::of_a_heat(), Looks::of_a_final(), Looks::of_a_gate(), Looks::of_a_sentinel(),
        Looks::of_a_verification(), Looks::of_a_verification_far_behind()}) {
    EXPECT_TRUE(looks.valid());
    EXPECT_GE(looks.first(), RoundQuota{}.fewest) << "the interval would be unbounded";
  }
}

TEST(VoidRounds, AreTooManyFromTheTwelfthRoundOnAndAboveHalf) {
  VoidRounds all;
  for (int round = 1; round <= 20; ++round) {
    all.add(true);
    EXPECT_EQ(all.too_many(), round >= VoidRounds::kFewest) << round;
  }
  VoidRounds half;
  for (int round = 0; round < 100; ++round) {
    half.add(round % 2 == 1);
    EXPECT_FALSE(half.too_many()) << round;
  }
  half.add(true);
  EXPECT_TRUE(half.too_many());
}

TEST(RoundQuota, EndsWithTheWantedRoundsOrTheTries) {
  const RoundQuota quota = {.wanted = 5, .tries = 3};
  EXPECT_TRUE(quota.wants_more(0, 0));
  EXPECT_TRUE(quota.wants_more(4, 14));
  EXPECT_FALSE(quota.wants_more(5, 5));
  EXPECT_FALSE(quota.wants_more(4, 15));
}

TEST(RoundQuota, OnceTheTimeIsUsedUpFewerRoundsAreEnough) {
  const RoundQuota quota;
  constexpr double kShare = 10;
  constexpr double kInTime = 10;
  constexpr double kLate = 11;
  constexpr double kFarTooLate = 32;
  EXPECT_TRUE(quota.wants_more(19, 19, kInTime, kShare));
  EXPECT_TRUE(quota.wants_more(6, 6, kLate, kShare));
  EXPECT_FALSE(quota.wants_more(7, 7, kLate, kShare));
  EXPECT_TRUE(quota.wants_more(0, 59, kFarTooLate, kShare));
  EXPECT_FALSE(quota.wants_more(0, 60, kFarTooLate, kShare));
  EXPECT_FALSE(quota.wants_more(1, 9, kFarTooLate, kShare));
}

TEST(SearchStop, AFewConfigsAreTriedHoweverLate) {
  const SearchStop stop;
  EXPECT_TRUE(stop.may_try(1000, false));
  EXPECT_TRUE(stop.may_try(stop.at_least - 1, true));
  EXPECT_FALSE(stop.may_try(stop.at_least, true));
}

TEST(SearchStop, AsksWhatIsExpectedOnlyOnceEnoughIsKnown) {
  const SearchStop stop;
  int asked = 0;
  const auto expects = [&](double gain) {
    return [&asked, gain] {
      ++asked;
      return gain;
    };
  };
  EXPECT_FALSE(stop.satisfied(stop.enough - 1, expects(0)));
  EXPECT_EQ(asked, 0);
  EXPECT_FALSE(stop.satisfied(stop.enough, expects(stop.worth_trying)));
  EXPECT_TRUE(stop.satisfied(stop.enough, expects(0.9 * stop.worth_trying)));
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace loratune
