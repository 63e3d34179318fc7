#include "tuner/race.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "unit/synthetic.h"

namespace loratune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

void run(Race& race, Machine& machine) {
  while (const auto round = race.next()) race.report(machine.run(*round));
}

// All blocks of an arm take exactly its time.
RoundReply exact(const Round& round, const std::vector<double>& ns, double canary = 10) {
  RoundReply reply;
  for (const int arm : round.order) {
    reply.ns.push_back(arm == kCanary ? canary : ns.at(static_cast<std::size_t>(arm)));
  }
  return reply;
}

void set_blocks(RoundReply& reply, const Round& round, int arm, double ns) {
  for (std::size_t i = 0; i < reply.ns.size(); ++i) {
    if (round.order[i] == arm) reply.ns[i] = ns;
  }
}

TEST(Race, EachPassOfARoundHoldsEveryArmAndTheCanary) {
  Race race(12, 7, {});
  std::vector<int> first;
  for (int i = 0; i < 3; ++i) {
    const Round round = race.next().value();
    EXPECT_EQ(round.index, i);
    ASSERT_EQ(round.order.size(), 4U * 13U);
    for (int pass = 0; pass < 4; ++pass) {
      std::vector<int> arms(round.order.begin() + pass * 13, round.order.begin() + pass * 13 + 13);
      if (pass == 1) {
        EXPECT_FALSE(std::equal(arms.begin(), arms.end(), round.order.begin()));
      }
      std::sort(arms.begin(), arms.end());
      for (int arm = kCanary; arm < 12; ++arm)
        EXPECT_EQ(arms[static_cast<std::size_t>(arm + 1)], arm);
    }
    EXPECT_NE(round.order, first) << "not reshuffled";
    first = round.order;
    race.report(exact(round, std::vector<double>(12, 100)));
  }
}

// Times of each part.
std::vector<RoundReply> exact(const Round& round, const std::vector<std::vector<double>>& parts) {
  std::vector<RoundReply> replies;
  for (const auto& ns : parts) replies.push_back(exact(round, ns));
  return replies;
}

TEST(Race, OverSeveralPartsTheGeometricMeanDecides) {
  Race race(3, 7, {}, 2);
  while (const auto round = race.next()) {
    race.report(exact(*round, {{100, 50, 90}, {1000, 1000, 500}}));
  }
  EXPECT_EQ(race.end(), RaceEnd::separated);
  EXPECT_EQ(race.leaders(), std::vector<int>{2});
  EXPECT_NEAR(race.standings()[2].ns, std::sqrt(90 * 500), 1e-6);
  EXPECT_NEAR(race.standings()[2].log_ratio.median, std::log(0.45) / 2, 1e-12);
  EXPECT_EQ(race.standing(0, 2).ns, 90);
  EXPECT_EQ(race.standing(1, 2).ns, 500);
  EXPECT_EQ(race.standing(1, kAnchor).ns, 1000);
  EXPECT_DOUBLE_EQ(race.standing(0, 2).log_ratio.median, std::log(0.9));
}

TEST(Race, AnArmSlowerOnOnePartIsOutHoweverFastOnTheOthers) {
  Race race(3, 7, {}, 2);
  while (const auto round = race.next()) {
    race.report(exact(*round, {{100, 110, 95}, {1000, 100, 950}}));
  }
  EXPECT_TRUE(race.standings()[1].dropped);
  EXPECT_EQ(race.leaders().front(), 2);
}

TEST(Race, APartThatIsDisturbedVoidsTheRound) {
  Race race(2, 7, {}, 2);
  const Round round = race.next().value();
  std::vector<RoundReply> replies = exact(round, {{100, 50}, {100, 50}});
  replies[1].stolen = true;
  race.report(replies);
  EXPECT_EQ(race.void_rounds(), 1);
  EXPECT_EQ(race.valid_rounds(), 0);
}

TEST(Race, AnArmThatFailsOnOnePartIsOut) {
  Race race(3, 7, {}, 2);
  const Round round = race.next().value();
  std::vector<RoundReply> replies = exact(round, {{100, 50, 60}, {100, 50, 60}});
  replies[0] = {};
  replies[1] = {};
  replies[0].failed = 1;
  replies[0].failure = Outcome::timeout;
  race.report(replies);
  EXPECT_EQ(race.standings()[1].outcome, Outcome::timeout);
  EXPECT_EQ(race.standings()[2].outcome, Outcome::correct);
}

TEST(Race, WantsOneReplyAPart) {
  Race race(2, 7, {}, 2);
  const Round round = race.next().value();
  EXPECT_THROW(race.report(exact(round, std::vector<double>{100, 50})), std::invalid_argument);
  EXPECT_THROW(Race(2, 7, {}, 0), std::invalid_argument);
}

TEST(Race, EveryArmComesInEveryPlaceAboutAsOften) {
  std::vector<int> count(5 * 5);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const Round round = Race(4, seed, {}).next().value();
    for (std::size_t i = 0; i < round.order.size(); ++i) {
      ++count[static_cast<std::size_t>(round.order[i] + 1) * 5 + i % 5];
    }
  }
  for (const int c : count) EXPECT_NEAR(c, 400, 100);
}

TEST(Race, SameSeedAndRepliesGiveTheSameRounds) {
  const auto rounds = [](std::uint64_t seed) {
    Race race(6, seed, {});
    Machine machine({100, 90, 95, 130, 300, 91}, 3);
    std::vector<Round> all;
    while (const auto round = race.next()) {
      EXPECT_EQ(race.next(), round) << "asking changes nothing";
      all.push_back(*round);
      race.report(machine.run(*round));
    }
    return all;
  };
  EXPECT_EQ(rounds(5), rounds(5));
  EXPECT_NE(rounds(5), rounds(6));
}

// A stored journal must be good for another build: the order is a part of the format.
TEST(Race, OrderOfASeedIsFixed) {
  const std::vector<int> order = Race(3, 42, {}).next().value().order;
  EXPECT_EQ(order, (std::vector<int>{2, -1, 1, 0, 2, -1, 0, 1, 0, -1, 2, 1, 2, 1, -1, 0}));
}

TEST(Race, AnArmsTimeIsTheLeastOfItsBlocks) {
  Race race(2, 1, {});
  const Round round = race.next().value();
  RoundReply reply = exact(round, {500, 500});
  *std::next(reply.ns.begin(),
             std::find(round.order.begin(), round.order.end(), 1) - round.order.begin()) = 250;
  race.report(reply);
  EXPECT_EQ(race.standings()[0].ns, 500);
  EXPECT_EQ(race.standings()[1].ns, 250);
  EXPECT_DOUBLE_EQ(race.standings()[1].log_ratio.median, std::log(0.5));
}

TEST(Race, WrongSamplesAreVoid) {
  for (const double wrong : {0.0, -1.0, kNan, kInf, -kInf}) {
    Race race(3, 1, {});
    Round round = race.next().value();
    RoundReply reply = exact(round, {100, 90, 80});
    reply.ns[0] = wrong;  // one block of some arm: the others count
    race.report(reply);
    EXPECT_EQ(race.valid_rounds(), 1);
    for (const Standing& standing : race.standings()) EXPECT_EQ(standing.rounds, 1);

    round = race.next().value();
    reply = exact(round, {100, 90, 80});
    set_blocks(reply, round, 2, wrong);  // all blocks of one arm: the round is not one of its
    race.report(reply);
    EXPECT_EQ(race.valid_rounds(), 2);
    EXPECT_EQ(race.standings()[1].rounds, 2);
    EXPECT_EQ(race.standings()[2].rounds, 1);
    EXPECT_EQ(race.standings()[2].ns, 80);

    for (const int needed : {kAnchor, kCanary}) {  // nothing to compare with
      round = race.next().value();
      reply = exact(round, {100, 90, 80});
      set_blocks(reply, round, needed, wrong);
      race.report(reply);
    }
    EXPECT_EQ(race.valid_rounds(), 2);
    EXPECT_EQ(race.void_rounds(), 2);
    race.report(exact(race.next().value(), {100, 90, 80}));
    EXPECT_EQ(race.valid_rounds(), 3) << "a wrong canary must not stay in its history";
  }
}

TEST(Race, AnArmThatIsSeldomTimedDoesNotLead) {
  Race race(3, 1, {});
  while (const auto round = race.next()) {
    RoundReply reply = exact(*round, {100, 99, 50});
    if (round->index % 5 != 0) set_blocks(reply, *round, 2, kNan);
    race.report(reply);
  }
  EXPECT_EQ(race.leaders(), (std::vector<int>{1, 0}));
}

TEST(Race, StealASlowCanaryAndAnEmptyReplyVoidARound) {
  Race race(2, 1, {});
  const auto valid_after = [&](double canary, bool stolen) {
    RoundReply reply = exact(race.next().value(), {100, 99}, canary);
    reply.stolen = stolen;
    race.report(reply);
    return race.valid_rounds();
  };
  EXPECT_EQ(valid_after(10, false), 1);
  EXPECT_EQ(valid_after(10, true), 1);
  EXPECT_EQ(valid_after(19, false), 2);
  EXPECT_EQ(valid_after(25, false), 2);
  EXPECT_EQ(valid_after(10, false), 3);
  race.report(RoundReply{});
  EXPECT_EQ(race.valid_rounds(), 3);
  EXPECT_EQ(race.void_rounds(), 3);
}

TEST(Race, MalformedRepliesAreRefused) {
  EXPECT_THROW(Race(0, 1, {}), std::invalid_argument);
  EXPECT_THROW(Race(kMaxArms + 1, 1, {}), std::invalid_argument);
  RaceRules no_look;
  no_look.looks = {};
  EXPECT_THROW(Race(2, 1, no_look), std::invalid_argument);
  Race race(2, 1, {});
  RoundReply reply = exact(race.next().value(), {100, 100});
  reply.ns.pop_back();
  EXPECT_THROW(race.report(reply), std::invalid_argument);
  reply = exact(race.next().value(), {100, 100});
  reply.doubled_ns = {1};
  EXPECT_THROW(race.report(reply), std::invalid_argument);
  reply = {};
  reply.failed = 2;
  EXPECT_THROW(race.report(reply), std::invalid_argument);
  EXPECT_EQ(race.next().value().index, 0) << "a refused reply leaves no trace";
}

TEST(Race, SlowArmsAreDroppedAfterThreeRoundsAndNoLongerRun) {
  Race race(3, 1, {});
  for (int i = 0; i < 3; ++i) race.report(exact(race.next().value(), {100, 99, 160}));
  EXPECT_TRUE(race.standings()[2].dropped);
  const Round round = race.next().value();
  EXPECT_EQ(std::count(round.order.begin(), round.order.end(), 2), 0);
  EXPECT_EQ(std::count(round.order.begin(), round.order.end(), 1), 4);
}

TEST(Race, TheAnchorIsMeasuredEvenBehind) {
  Race race(3, 1, {});
  for (int i = 0; i < 5; ++i) race.report(exact(race.next().value(), {160, 100, 101}));
  EXPECT_TRUE(race.standings()[0].dropped);
  const Round round = race.next().value();
  EXPECT_EQ(std::count(round.order.begin(), round.order.end(), kAnchor), 4);
  EXPECT_EQ(race.leaders(), (std::vector<int>{1, 2}));
}

TEST(Race, TheAnchorComesBackWhenTheArmsAheadFail) {
  Race race(3, 1, {});
  for (int i = 0; i < 5; ++i) race.report(exact(race.next().value(), {160, 100, 101}));
  for (const int arm : {1, 2}) {
    RoundReply reply;
    reply.failed = arm;
    reply.failure = Outcome::timeout;
    race.report(reply);
  }
  EXPECT_EQ(race.end(), RaceEnd::separated);
  EXPECT_EQ(race.leaders(), std::vector<int>{kAnchor});
}

TEST(Race, EndsAtTheFirstLookThatSeparates) {
  Race race(3, 1, {});
  Machine machine({100, 80, 90}, 1, kQuiet);
  run(race, machine);
  EXPECT_EQ(race.end(), RaceEnd::separated);
  EXPECT_EQ(race.valid_rounds(), 10);
  EXPECT_EQ(race.leaders(), std::vector<int>{1});
  EXPECT_NEAR(race.standings()[1].log_ratio.median, std::log(0.8), 0.005);
  EXPECT_NEAR(race.standings()[1].ns, 80, 1);
}

TEST(Race, EndsEarlyWhenNoArmCanBeWorthMoreThanTheAnchor) {
  Race race(4, 1, {});
  Machine machine({100, 99.5, 100, 101}, 1, kQuiet);
  run(race, machine);
  EXPECT_EQ(race.end(), RaceEnd::tied);
  EXPECT_EQ(race.valid_rounds(), 10);
  const auto leaders = race.leaders();
  EXPECT_NE(std::find(leaders.begin(), leaders.end(), kAnchor), leaders.end());
}

TEST(Race, AnArmThatMayBeBehindDoesNotKeepItOn) {
  Race race(3, 1, {});
  while (const auto round = race.next()) {
    race.report(exact(*round, {100, 99.5, round->index % 2 == 0 ? 101.0 : 105.0}));
  }
  EXPECT_EQ(race.end(), RaceEnd::tied);
  EXPECT_EQ(race.valid_rounds(), 10);
}

TEST(Race, AGainWithinReachKeepsTheRaceOn) {
  Race race(2, 1, {});
  // A median within the tie, and intervals that reach far beyond.
  while (const auto round = race.next()) {
    race.report(exact(*round, {100, round->index % 5 < 3 ? 99.9 : 90.0}));
  }
  EXPECT_EQ(race.end(), RaceEnd::tied);
  EXPECT_EQ(race.valid_rounds(), 80);
}

TEST(Race, EqualArmsAheadOfTheAnchorAreATie) {
  Race race(3, 1, {});
  Machine machine({100, 80, 80.2}, 1, kQuiet);
  run(race, machine);
  EXPECT_EQ(race.end(), RaceEnd::tied);
  auto leaders = race.leaders();
  std::sort(leaders.begin(), leaders.end());
  EXPECT_EQ(leaders, (std::vector<int>{1, 2}));
}

TEST(Race, OneArmAloneNeedsNoRound) {
  const Race race(1, 1, {});
  EXPECT_EQ(race.next(), std::nullopt);
  EXPECT_EQ(race.end(), RaceEnd::separated);
  EXPECT_EQ(race.leaders(), std::vector<int>{kAnchor});
}

TEST(Race, AFailedArmIsOutWithItsOutcome) {
  Race race(3, 1, {});
  race.report(exact(race.next().value(), {100, 99, 98}));
  RoundReply reply;
  reply.failed = 2;
  reply.failure = Outcome::timeout;
  race.report(reply);
  EXPECT_EQ(race.standings()[2].outcome, Outcome::timeout);
  EXPECT_EQ(race.valid_rounds(), 1);
  EXPECT_EQ(race.void_rounds(), 1);
  const Round round = race.next().value();
  EXPECT_EQ(std::count(round.order.begin(), round.order.end(), 2), 0);
  reply.failed = 1;
  race.report(reply);
  EXPECT_EQ(race.end(), RaceEnd::separated);
  EXPECT_EQ(race.leaders(), std::vector<int>{kAnchor});
}

TEST(Race, FailuresAreNoFaultOfTheEnvironment) {
  Race race(12, 1, {});
  race.report(exact(race.next().value(), std::vector<double>(12, 100)));
  for (int arm = 1; arm < 11; ++arm) {
    RoundReply reply;
    reply.failed = arm;
    reply.failure = Outcome::runtime;
    race.report(reply);
  }
  for (int i = 0; i < 6; ++i) race.report(exact(race.next().value(), std::vector<double>(12, 100)));
  for (int i = 0; i < 5; ++i) race.report(RoundReply{});
  EXPECT_EQ(race.void_rounds(), 15);
  EXPECT_EQ(race.end(), RaceEnd::running) << "5 of the 12 rounds without a failure are void";
}

TEST(Race, ALostAnchorEndsTheRace) {
  Race race(3, 1, {});
  RoundReply reply;
  reply.failed = kAnchor;
  reply.failure = Outcome::runtime;
  race.report(reply);
  EXPECT_EQ(race.end(), RaceEnd::anchor_lost);
  EXPECT_EQ(race.next(), std::nullopt);
  EXPECT_EQ(race.standings()[0].outcome, Outcome::runtime);
}

TEST(Race, MostRoundsVoidIsTheEnvironment) {
  Race race(2, 1, {});
  int rounds = 0;
  for (; const auto round = race.next(); ++rounds) {
    RoundReply reply = exact(*round, {100, 100});
    reply.stolen = true;
    race.report(reply);
  }
  EXPECT_EQ(race.end(), RaceEnd::environment);
  EXPECT_EQ(rounds, VoidRounds::kFewest);

  Race half(2, 1, {});
  while (const auto round = half.next()) {
    RoundReply reply = exact(*round, {100, round->index % 4 == 0 ? 99.9 : 90.0});
    reply.stolen = round->index % 2 == 1;
    half.report(reply);
  }
  EXPECT_EQ(half.end(), RaceEnd::tied) << "half of the rounds are enough";
}

TEST(Race, StopAtAnyRoundDecidesByWhatIsKnown) {
  for (int rounds = 0; rounds < 12; ++rounds) {
    Race race(4, 1, {});
    Machine machine({100, 80, 80, 130}, 1, kQuiet);
    for (int i = 0; i < rounds && race.next(); ++i) race.report(machine.run(*race.next()));
    race.stop();
    race.stop();
    EXPECT_EQ(race.next(), std::nullopt);
    const auto leaders = race.leaders();
    ASSERT_FALSE(leaders.empty());
    const bool anchor_leads = std::count(leaders.begin(), leaders.end(), kAnchor) > 0;
    EXPECT_EQ(anchor_leads, rounds < 7) << rounds << ": seven values are the fewest for 97.5 %";
    race.report(RoundReply{});  // a reply that was on its way
    EXPECT_EQ(race.void_rounds(), 0);
  }
}

TEST(Race, SlopeOfDoubledBlocks) {
  RaceRules rules;
  rules.doubled = true;
  Race race(2, 1, rules);
  Machine machine({1000, 800}, 1, {0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(race.next().value().doubled);
  run(race, machine);
  EXPECT_NEAR(race.standings()[0].ns, 1000, 1e-6);
  EXPECT_NEAR(race.standings()[0].slope_ns, 700, 1e-6);
  EXPECT_NEAR(race.standings()[1].slope_ns, 500, 1e-6);
  Race plain(2, 1, {});
  run(plain, machine);
  EXPECT_EQ(plain.standings()[0].slope_ns, 0);
}

// What the method promises under noise, over many seeds.
TEST(Race, EqualArmsSeldomPutTheAnchorBehind) {
  int behind = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Race race(8, seed, {});
    Machine machine(std::vector<double>(8, 50'000), seed + 1000);
    run(race, machine);
    behind += race.standings()[kAnchor].dropped ? 1 : 0;
  }
  EXPECT_LE(behind, 4);
}

TEST(Race, TenPercentIsFoundUnderNoise) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<double> ns(8, 50'000);
    ns[5] = 45'000;
    Race race(8, seed, {});
    Machine machine(ns, seed + 1000);
    run(race, machine);
    found += race.leaders().front() == 5 && race.standings()[kAnchor].dropped ? 1 : 0;
  }
  EXPECT_GE(found, 190);
}

// The planted fault: scored by unpaired times the same drift would crown an arm. It moves all arms
// of a round, and none against another.
TEST(Race, DriftCommonToARoundMovesNoScore) {
  Noise noise = kQuiet;
  noise.drift = 0.3;
  Race race(3, 1, {});
  Machine machine({100, 100, 80}, 1, noise);
  while (const auto round = race.next()) {
    RoundReply reply = machine.run(*round);
    // The canary is not part of this one: it would void the rounds.
    for (std::size_t i = 0; i < reply.ns.size(); ++i) {
      if (round->order[i] == kCanary) reply.ns[i] = 10;
    }
    race.report(reply);
  }
  EXPECT_EQ(race.leaders(), std::vector<int>{2});
  EXPECT_NEAR(race.standings()[1].log_ratio.median, 0, 0.003);
  EXPECT_NEAR(race.standings()[2].log_ratio.median, std::log(0.8), 0.003);
}

}  // namespace
}  // namespace loratune
