#include "tuner/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "unit/synthetic.h"

namespace loratune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Every block as a function of its arm and round.
template <class Time>
PairedTrial run(Time time, const GateRules& rules = {}, bool sentinel = false,
                std::uint64_t seed = 1) {
  PairedTrial trial(seed, rules, sentinel);
  while (const auto round = trial.next()) {
    RoundReply reply;
    for (const int arm : round->order) {
      reply.ns.push_back(arm == kCanary ? 200e3 : time(arm, round->index));
    }
    trial.report(reply);
  }
  return trial;
}

// A pair whose log ratios are evenly spread over center +- half, the same at each look.
PairedTrial spread(double center, double half, const GateRules& rules = {}, bool sentinel = false) {
  return run(
      [&](int arm, int round) {
        const double place = (round * 7 % 20) / 9.5 - 1;
        const double common = 1e5 + round;
        return arm == kBaseArm ? common : common * std::exp(center + half * place);
      },
      rules, sentinel);
}

TEST(Gate, EndsFollowTheRule) {
  struct Wanted {
    double center, half;
    TrialEnd end;
    int rounds;
  };
  // The interval at 20, 40, 80 rounds: about 0.68, 0.45, 0.30 of the half spread on both sides.
  for (const Wanted& wanted :
       {Wanted{0.0, 0.01, TrialEnd::pass, 20}, Wanted{0.05, 0.01, TrialEnd::suspect, 20},
        Wanted{-0.05, 0.01, TrialEnd::improved, 20}, Wanted{0.021, 0.001, TrialEnd::suspect, 20},
        Wanted{0.019, 0.001, TrialEnd::pass, 20}, Wanted{0.029, 0.001, TrialEnd::suspect, 20},
        Wanted{0.0, 0.3, TrialEnd::inconclusive, 80},
        Wanted{0.025, 0.03, TrialEnd::inconclusive, 80}, Wanted{0.0, 0.055, TrialEnd::pass, 40},
        Wanted{-0.02, 0.03, TrialEnd::pass, 80}}) {
    const PairedTrial trial = spread(wanted.center, wanted.half);
    EXPECT_EQ(trial.end(), wanted.end)
        << wanted.center << " " << wanted.half << " " << to_string(trial.end());
    EXPECT_EQ(trial.log_ratios().size(), static_cast<std::size_t>(wanted.rounds))
        << wanted.center << " " << wanted.half;
  }
}

TEST(Gate, ATrialOfAShortCaseGoesOnUntilItSeesFivePercent) {
  const auto at = [](double scale, double center, double half, const GateRules& rules = {}) {
    return run(
        [&](int arm, int round) {
          const double place = (round * 7 % 20) / 9.5 - 1;
          const double common = scale * (1e5 + round);
          return arm == kBaseArm ? common : common * std::exp(center + half * place);
        },
        rules);
  };
  const auto rounds = [](const PairedTrial& trial) { return trial.log_ratios().size(); };
  EXPECT_EQ(at(1, 0, 0.16).end(), TrialEnd::inconclusive);
  EXPECT_EQ(rounds(at(1, 0, 0.16)), 80U);
  for (const PairedTrial& trial : {at(0.1, 0, 0.16), at(0.1, 0, 0.3)}) {
    EXPECT_EQ(rounds(trial), 320U);
    EXPECT_LT(trial.detectable(), detectable_effect(trial.log_ratios(), {}));
  }
  EXPECT_EQ(at(0.1, 0, 0.16).end(), TrialEnd::pass);
  EXPECT_EQ(at(0.1, 0, 0.3).end(), TrialEnd::inconclusive) << "even 320 rounds do not see it";
  EXPECT_EQ(at(0.1, 0.08, 0.16).end(), TrialEnd::suspect);
  // It sees 5 % after 80 rounds, and the true effect lies where nothing is decided.
  EXPECT_LE(at(0.1, 0.025, 0.03).detectable(), 0.05);
  EXPECT_EQ(at(0.1, 0.025, 0.03).end(), TrialEnd::inconclusive);
  EXPECT_EQ(rounds(at(0.1, 0.025, 0.03)), 80U);
  EXPECT_EQ(rounds(at(0.1, 0, 0.01)), 20U) << "decided as early as any";
  // The longer arm may be above the limit.
  EXPECT_EQ(rounds(at(0.29, 0.05, 0.5)), rounds(at(0.29, -0.05, 0.5)));
  GateRules rules;
  rules.short_ns = 0;
  EXPECT_EQ(rounds(at(0.1, 0, 0.3, rules)), 80U);
}

TEST(Gate, ASentinelPassesOnlyWithinItsBandOnBothSides) {
  EXPECT_EQ(spread(0, 0.01, {}, true).end(), TrialEnd::pass);
  EXPECT_EQ(spread(0.03, 0.001, {}, true).end(), TrialEnd::inconclusive);
  EXPECT_EQ(spread(-0.03, 0.001, {}, true).end(), TrialEnd::inconclusive);
  EXPECT_EQ(spread(0, 0.5, {}, true).end(), TrialEnd::inconclusive);
}

TEST(Gate, AnArmsTimeIsTheLeastOfItsBlocks) {
  int block = 0;
  const PairedTrial trial = run([&](int arm, int round) {
    const double slow = arm == kCandidateArm && block++ % 4 != 3 ? 5 : 1;
    return (1e5 + round) * slow;
  });
  EXPECT_EQ(trial.end(), TrialEnd::pass);
  EXPECT_DOUBLE_EQ(trial.interval().median, 0);
}

TEST(Gate, RoundsHoldBothArmsAndTheCanaryInFourShuffledPasses) {
  PairedTrial trial(1, {});
  PairedTrial other(2, {});
  const Round round = trial.next().value();
  EXPECT_EQ(round.order.size(), 12U);
  for (const int arm : {kCanary, kBaseArm, kCandidateArm}) {
    EXPECT_EQ(std::count(round.order.begin(), round.order.end(), arm), 4);
  }
  EXPECT_NE(round.order, other.next()->order) << "another seed, another order";
}

// Clocks that lie: never an end that could be green.
TEST(Gate, AWallClockThatGivesNoTimesIsNotBelieved) {
  for (const double lie : {0.0, -1.0, kNan, std::numeric_limits<double>::infinity()}) {
    for (const int liar : {kBaseArm, kCandidateArm}) {
      const PairedTrial trial =
          run([&](int arm, int round) { return arm == liar ? lie : 1e5 + round; });
      EXPECT_EQ(trial.end(), TrialEnd::clock) << lie << " of arm " << liar;
    }
    int block = 0;
    const PairedTrial now_and_then =
        run([&](int, int round) { return ++block % 5 == 0 ? lie : 1e5 + round; });
    EXPECT_EQ(now_and_then.end(), TrialEnd::clock) << lie << " in one block of five";
  }
}

TEST(Gate, AWallClockThatStandsStillIsNotBelieved) {
  EXPECT_EQ(run([](int, int) { return 1e5; }).end(), TrialEnd::clock);
  EXPECT_EQ(run([](int arm, int round) { return arm == kBaseArm ? 1e5 + round : 1e5; }).end(),
            TrialEnd::clock);
  EXPECT_EQ(run([](int, int round) { return 1e5 * (1 + round % 5); }).end(), TrialEnd::clock)
      << "five different times in all";
}

TEST(Gate, DisturbedRoundsShortenTheBlocksFirst) {
  PairedTrial trial(1, {});
  int rounds = 0;
  int shortened_at = 0;
  while (const auto round = trial.next()) {
    ++rounds;
    RoundReply reply;
    for (std::size_t i = 0; i < round->order.size(); ++i) reply.ns.push_back(1e5 + rounds);
    reply.stolen = trial.shorten() == 1;  // short blocks fit between the disturbances
    trial.report(reply);
    if (shortened_at == 0 && trial.shorten() > 1) shortened_at = rounds;
  }
  EXPECT_EQ(shortened_at, VoidRounds::kFewest);
  EXPECT_EQ(trial.end(), TrialEnd::pass);
  EXPECT_EQ(trial.void_rounds(), VoidRounds::kFewest);
}

// A burst that takes a second, as another tenant's does, is not the environment.
TEST(Gate, ATrialOutlastsABurstOfDisturbances) {
  const GateRules rules;
  const auto end_after = [&](int burst) {
    PairedTrial trial(1, rules);
    int short_rounds = 0;
    while (const auto round = trial.next()) {
      RoundReply reply;
      for (std::size_t i = 0; i < round->order.size(); ++i) reply.ns.push_back(1e5 + round->index);
      reply.stolen = trial.shorten() == 1 || short_rounds++ < burst;
      trial.report(reply);
    }
    return trial.end();
  };
  EXPECT_EQ(end_after(rules.patience / 2), TrialEnd::pass);
  EXPECT_EQ(end_after(rules.patience), TrialEnd::environment);
}

// Where enough rounds are undisturbed, they decide, however many are not.
TEST(Gate, StealAndASlowCanaryInMostRoundsAreTheEnvironment) {
  const auto end_where_good = [](int every, bool steal) {
    PairedTrial trial(1, {});
    while (const auto round = trial.next()) {
      // The first canaries are good, so that others are told by them.
      const bool bad = round->index >= 3 && round->index % every != 0;
      RoundReply reply;
      for (const int arm : round->order) {
        reply.ns.push_back(arm == kCanary && bad && !steal ? 1e6 : 1e5 + round->index);
      }
      reply.stolen = bad && steal;
      trial.report(reply);
    }
    return trial.end();
  };
  for (const bool steal : {true, false}) {
    EXPECT_EQ(end_where_good(3, steal), TrialEnd::pass);
    EXPECT_EQ(end_where_good(9, steal), TrialEnd::environment);
  }
}

TEST(Gate, AnArmThatFailsEndsTheTrial) {
  PairedTrial trial(1, {});
  RoundReply reply;
  reply.failed = kCandidateArm;
  reply.failure = Outcome::timeout;
  trial.report(reply);
  EXPECT_EQ(trial.end(), TrialEnd::failed);
  EXPECT_EQ(trial.failure(), Outcome::timeout);
}

TEST(Gate, OnlyTwoSuspectTrialsAreARegression) {
  using enum TrialEnd;
  const auto judged = [](std::vector<TrialEnd> ends) { return judge_trials(ends); };
  EXPECT_EQ(judged({}), std::nullopt);
  EXPECT_EQ(judged({running}), std::nullopt);
  EXPECT_EQ(judged({suspect}), std::nullopt) << "a confirmation is wanted";
  EXPECT_EQ(judged({suspect, running}), std::nullopt);
  EXPECT_EQ(judged({suspect, suspect}), CaseVerdict::regressed);
  for (const TrialEnd end : {improved, pass, inconclusive}) {
    EXPECT_EQ(judged({suspect, end}), CaseVerdict::flaky_suspect);
  }
  for (const TrialEnd end : {environment, TrialEnd::clock}) {
    EXPECT_EQ(judged({suspect, end}), CaseVerdict::environment) << "not cleared by noise";
    EXPECT_EQ(judged({end}), CaseVerdict::environment);
  }
  EXPECT_EQ(judged({suspect, failed}), CaseVerdict::fault);
  EXPECT_EQ(judged({failed}), CaseVerdict::fault);
  EXPECT_EQ(judged({pass}), CaseVerdict::pass);
  EXPECT_EQ(judged({improved}), CaseVerdict::improved);
  EXPECT_EQ(judged({inconclusive}), CaseVerdict::inconclusive);
}

TEST(Gate, ADisturbedTrialDoesNotCountWhereAnotherFollows) {
  using enum TrialEnd;
  const auto judged = [](std::vector<TrialEnd> ends) { return judge_trials(ends); };
  for (const TrialEnd end : {pass, improved, inconclusive, failed, environment, TrialEnd::clock}) {
    EXPECT_EQ(judged({environment, end}), judged({end}));
    EXPECT_EQ(judged({suspect, environment, end}), judged({suspect, end}));
  }
  EXPECT_EQ(judged({environment, suspect}), std::nullopt) << "a confirmation is wanted";
  EXPECT_EQ(judged({environment, suspect, suspect}), CaseVerdict::regressed);
  EXPECT_EQ(judged({suspect, environment, suspect}), CaseVerdict::regressed);
  EXPECT_EQ(judged({environment, environment}), CaseVerdict::environment);
}

TEST(Gate, RulesThatNoGateCanRunByAreRefused) {
  for (const Looks& looks :
       {Looks{}, Looks{{3}}, Looks{{40, 20}}, Looks{{20, 1000000}}, Looks{{-20, 40}}}) {
    GateRules rules;
    rules.looks = looks;
    EXPECT_THROW(PairedTrial(1, rules), std::invalid_argument);
  }
  GateRules rules;
  rules.worse = 1;
  EXPECT_THROW(validate(rules), std::invalid_argument);
}

// Both trials on noise of this size, a true effect planted.
double regressed_share(double effect, double sigma, int decisions) {
  int regressed = 0;
  for (int i = 0; i < decisions; ++i) {
    std::vector<TrialEnd> ends;
    for (std::uint64_t t = 0; t < 2; ++t) {
      Random random(mix_seed(static_cast<std::uint64_t>(i), t));
      const auto uniform = [&] {
        return (static_cast<double>(random.below(1U << 30U)) + 0.5) / (1U << 30U);
      };
      PairedTrial trial(mix_seed(static_cast<std::uint64_t>(i), t), {});
      while (const auto round = trial.next()) {
        const double normal =
            std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
        const double ratio = (1 + effect) * std::exp(sigma * normal);
        RoundReply reply;
        for (const int arm : round->order) {
          reply.ns.push_back((1e5 + round->index) * (arm == kCandidateArm ? ratio : 1));
        }
        trial.report(reply);
      }
      ends.push_back(trial.end());
    }
    regressed += judge_trials(ends) == CaseVerdict::regressed ? 1 : 0;
  }
  return static_cast<double>(regressed) / decisions;
}

TEST(Gate, TheDetectableEffectIsDetectedAndNotAllOfItIsNeededForNothing) {
  for (const double sigma : {0.01, 0.05}) {
    Random random(7);
    std::vector<double> log_ratios;
    for (int i = 0; i < 4000; ++i) {
      const auto uniform = [&] {
        return (static_cast<double>(random.below(1U << 30U)) + 0.5) / (1U << 30U);
      };
      log_ratios.push_back(sigma * std::sqrt(-2 * std::log(uniform())) *
                           std::cos(2 * std::numbers::pi * uniform()));
    }
    const double effect = detectable_effect(log_ratios, {});
    EXPECT_GE(regressed_share(effect, sigma, 400), 0.93) << sigma << ": " << effect;
    const double half_way = 0.02 + (effect - 0.02) / 2;
    EXPECT_LE(regressed_share(half_way, sigma, 400), 0.75) << "a claim far too careful";
    EXPECT_LE(regressed_share(0.0, sigma, 400), 0.0);
  }
}

TEST(Gate, TheDetectableEffectOfTooFewRoundsIsUnbounded) {
  EXPECT_TRUE(std::isinf(detectable_effect(std::vector<double>(5, 0.0), {})));
  EXPECT_NEAR(detectable_effect(std::vector<double>(20, 0.0), {}), 0.03, 1e-12);
}

}  // namespace
}  // namespace loratune
