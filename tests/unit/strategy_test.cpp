#include "tuner/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tuner/statistics.h"

namespace loratune {
namespace {

constexpr double kCannotRun = std::numeric_limits<double>::quiet_NaN();

// Two variants of four parameters of six values; 2592 points.
std::vector<SpacePoint> made_up_space() {
  std::vector<SpacePoint> space;
  for (int variant = 0; variant < 2; ++variant) {
    for (int i = 0; i < 6 * 6 * 6 * 6; ++i) {
      space.push_back({variant, {1 << i % 6, 1 << i / 6 % 6, 1 << i / 36 % 6, 1 << i / 216 % 6}});
    }
  }
  return space;
}

// A valley that lies at `at` of each parameter, with a product of two of them too large to run.
double cost(const SpacePoint& point, double at) {
  if (point.config[0] * point.config[1] > 256) return kCannotRun;
  double ln = point.variant == 0 ? 0.0 : 0.4;
  for (int i = 0; i < 4; ++i) ln += 0.15 * std::abs(std::log2(point.config[i]) - at);
  ln += 0.1 * std::abs(std::log2(point.config[2]) - std::log2(point.config[3]));
  return 1000 * std::exp(ln);
}

// The optimum over the best cost that so many evaluations find.
double reached(StrategyKind kind, int evaluations, std::uint64_t seed,
               const std::vector<std::size_t>& hints = {0}, double at = 3) {
  Strategy strategy(kind, made_up_space(), hints, seed);
  double best = HUGE_VAL;
  for (int i = 0; i < evaluations; ++i) {
    for (const std::size_t point : strategy.ask(1)) {
      const double found = cost(strategy.space()[point], at);
      strategy.tell(point, found);
      best = std::fmin(best, found);
    }
  }
  return 1000 / best;
}

double median_reached(StrategyKind kind, int evaluations) {
  std::vector<double> fractions;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    fractions.push_back(reached(kind, evaluations, seed));
  }
  return median(fractions);
}

TEST(Strategy, TheModelFindsTheValleyThatDrawsMiss) {
  EXPECT_GT(median_reached(StrategyKind::cold, 60), 0.97);
  EXPECT_LT(median_reached(StrategyKind::random, 60), 0.85);
}

TEST(Strategy, IsAFunctionOfItsSeed) {
  const auto asked = [](StrategyKind kind, std::uint64_t seed) {
    Strategy strategy(kind, made_up_space(), {0}, seed);
    std::vector<std::size_t> points;
    for (int i = 0; i < 10; ++i) {
      for (const std::size_t point : strategy.ask(3)) {
        strategy.tell(point, cost(strategy.space()[point], 3));
        points.push_back(point);
      }
    }
    return points;
  };
  for (const StrategyKind kind : {StrategyKind::random, StrategyKind::cold}) {
    EXPECT_EQ(asked(kind, 1), asked(kind, 1));
    EXPECT_NE(asked(kind, 1), asked(kind, 2));
  }
  EXPECT_EQ(asked(StrategyKind::exhaustive, 1), asked(StrategyKind::exhaustive, 2));
}

TEST(Strategy, EveryKindAsksForEachPointOnceAndEnds) {
  std::vector<SpacePoint> space = made_up_space();
  space.resize(40);
  for (const StrategyKind kind : {StrategyKind::exhaustive, StrategyKind::random,
                                  StrategyKind::cold, StrategyKind::automatic}) {
    Strategy strategy(kind, space, {7, 3}, 1);
    std::vector<std::size_t> asked;
    for (auto batch = strategy.ask(7); !batch.empty(); batch = strategy.ask(7)) {
      for (const std::size_t point : batch) {
        strategy.tell(point, cost(space[point], 3));
        asked.push_back(point);
      }
    }
    EXPECT_EQ(asked.size(), space.size()) << to_string(kind);
    EXPECT_EQ(std::set(asked.begin(), asked.end()).size(), space.size()) << to_string(kind);
    EXPECT_EQ(strategy.expected_gain(), 0) << to_string(kind);
    const bool in_order = std::is_sorted(asked.begin(), asked.end());
    EXPECT_EQ(in_order, kind == StrategyKind::exhaustive) << to_string(kind);
    if (!in_order) {
      EXPECT_EQ(asked.front(), 7U) << to_string(kind);
    }
  }
}

TEST(Strategy, PointsThatCannotRunAreNeverBest) {
  Strategy strategy(StrategyKind::cold, made_up_space(), {0}, 1);
  for (const double nothing : {kCannotRun, 0.0, -1.0, HUGE_VAL}) {
    strategy.tell(strategy.ask(1).front(), nothing);
  }
  EXPECT_TRUE(strategy.best(3).empty());
  EXPECT_TRUE(std::isfinite(strategy.expected_gain()));
  const std::size_t point = strategy.ask(1).front();
  strategy.tell(point, 5);
  EXPECT_EQ(strategy.best(3), std::vector{point});
}

TEST(Strategy, ExpectsLessOnceTheValleyIsFound) {
  Strategy strategy(StrategyKind::cold, made_up_space(), {0}, 1);
  EXPECT_EQ(strategy.expected_gain(), HUGE_VAL);
  const auto work = [&](int evaluations) {
    for (int i = 0; i < evaluations; ++i) {
      const std::size_t point = strategy.ask(1).front();
      strategy.tell(point, cost(strategy.space()[point], 3));
    }
    return strategy.expected_gain();
  };
  const double early = work(10);
  EXPECT_LT(work(80), early / 2);
}

TEST(Strategy, OfEqualPromisesTheCheapIsTakenFirst) {
  const auto space = made_up_space();
  std::vector<double> prices(space.size(), 1000);
  for (std::size_t i = 0; i < space.size(); i += 2) prices[i] = 1;
  Strategy strategy(StrategyKind::cold, space, {0}, 1);
  int cheap = 0;
  for (int i = 0; i < 40; ++i) {
    const std::size_t point = strategy.ask(1, prices).front();
    strategy.tell(point, cost(space[point], 3));
    cheap += point % 2 == 0 ? 1 : 0;
  }
  EXPECT_GE(cheap, 35);
}

TEST(Strategy, NamesAreReadBack) {
  for (const StrategyKind kind : {StrategyKind::exhaustive, StrategyKind::random,
                                  StrategyKind::cold, StrategyKind::automatic}) {
    EXPECT_EQ(parse_strategy(to_string(kind)), kind);
  }
  EXPECT_EQ(parse_strategy("annealing"), std::nullopt);
}

Problem problem(std::int64_t m, int rank, Dtype dtype = Dtype::f32) {
  Problem p;
  p.m = m;
  p.k = p.n = 512;
  p.rank = rank;
  p.dtype = dtype;
  return p;
}

TEST(WarmStart, TakesTheBestOfTheNearestProblemsFirst) {
  const auto space = made_up_space();
  const auto found = [&](Problem p, std::size_t first) {
    return Found{p, {space[first], space[first + 1]}};
  };
  const std::vector<Found> known = {found(problem(512, 64), 100), found(problem(16, 8), 200),
                                    found(problem(8, 8, Dtype::f16), 300),
                                    found(problem(32, 8), 400)};
  const auto hints = warm_start(problem(16, 8), space, known);
  EXPECT_EQ(hints, (std::vector<std::size_t>{200, 400, 300, 100}));
}

TEST(WarmStart, WhatTheSpaceLacksBecomesItsNearest) {
  const std::vector<SpacePoint> space = {{0, {1, 16}}, {0, {4, 16}}, {1, {2, 16}}};
  const std::vector<Found> known = {{problem(1, 8), {{0, {2, 32}}}},
                                    {problem(2, 8), {{0, {64, 16}}}},
                                    {problem(4, 8), {{2, {1, 1}}}}};
  EXPECT_EQ(warm_start(problem(1, 8), space, known), (std::vector<std::size_t>{0, 1}));
}

TEST(WarmStart, AHintFromNextDoorSavesEvaluations) {
  const auto space = made_up_space();
  const Found neighbour = {problem(8, 8), {{0, {4, 4, 4, 8}}}};
  const auto hints = warm_start(problem(16, 8), space, std::vector{neighbour});
  std::vector<double> cold;
  std::vector<double> warm;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    cold.push_back(reached(StrategyKind::cold, 12, seed));
    warm.push_back(reached(StrategyKind::automatic, 12, seed, hints));
  }
  EXPECT_GT(median(warm), median(cold) + 0.1);
}

}  // namespace
}  // namespace loratune
