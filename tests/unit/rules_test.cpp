#include "tuner/rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

namespace loratune {
namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
const DeviceInfo kRulesDevice;

// A variant of one parameter; configs from 100 on run only up to rank 10, and 3 is 2 where m < 5.
constexpr std::array<std::int32_t, 6> kValues = {0, 1, 2, 3, 4, 100};
constexpr std::array<Parameter, 1> kParameters = {{{"P", kValues}}};

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan;
  plan.defines = {{"P", config[0] == 3 && problem.m < 5 ? 2 : config[0]}};
  return plan;
}

constexpr Kernel kKernel = {"made_up", "", ""};
constinit const Variant kVariant(
    kKernel, {.revision = 1,
              .space = {kParameters, [](const Config& c, const Problem& p,
                                        const DeviceInfo&) { return c[0] < 100 || p.rank <= 10; }},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .adapters = true, .dora = true},
              .supports = [](const Problem&, const DeviceInfo&) { return true; },
              .default_config = [](const Problem&, const DeviceInfo&) { return Config{0}; },
              .plan = plan,
              .flops = [](const Problem&, const Config&) { return 0.0; },
              .tiles = [](const Problem&, const Config&) { return Tiles{}; },
              .fit = [](const Problem&, const DeviceInfo&) { return Fit::never; }});

Candidate candidate(std::int32_t value) { return {&kVariant, {value}}; }

Problem problem(std::int64_t m, std::int64_t k, std::int64_t n, int rank) {
  Problem p;
  p.m = m;
  p.k = k;
  p.n = n;
  p.rank = rank;
  return p;
}

using Cost = std::function<double(const Problem&, int)>;  // time over the default's, NaN: not raced

// The problem with candidates 0 (the default) to `last`.
MeasuredProblem measure(const Problem& p, const Cost& cost, int last = 2) {
  MeasuredProblem measured;
  measured.problem = p;
  for (int value = 0; value <= last; ++value) {
    measured.candidates.push_back(candidate(value));
    measured.log_ratios.push_back(value == 0 ? 0 : std::log(cost(p, value)));
  }
  return measured;
}

std::vector<MeasuredProblem> grid(const Cost& cost, const std::vector<int>& ranks = {8, 16}) {
  std::vector<MeasuredProblem> all;
  for (const std::int64_t features : {512, 1024}) {
    for (const std::int64_t m : {1, 16, 128}) {
      for (const int rank : ranks)
        all.push_back(measure(problem(m, features, features, rank), cost));
    }
  }
  return all;
}

bool holds(const RuleRange& rule, const Problem& p) {
  const auto in = [](const Range& range, std::int64_t v) { return range.lo <= v && v <= range.hi; };
  return rule.kind == kind_of(p) && in(rule.rank, p.rank) && in(rule.m, p.m) && in(rule.k, p.k) &&
         in(rule.n, p.n);
}

const RuleRange* find(const std::vector<RuleRange>& rules, const Problem& p) {
  const RuleRange* found = nullptr;
  for (const RuleRange& rule : rules) {
    if (!holds(rule, p)) continue;
    EXPECT_EQ(found, nullptr) << to_string(p) << " is in two rules";
    found = &rule;
  }
  return found;
}

double always_1(const Problem&, int value) { return value == 1 ? 0.8 : 0.9; }

TEST(Rules, CoverTheGapsOfTheGridAndNotItsPoints) {
  const auto measured = grid(always_1);
  const auto rules = make_rules(measured, kRulesDevice);
  for (const MeasuredProblem& entry : measured) EXPECT_EQ(find(rules, entry.problem), nullptr);
  for (const int rank : {8, 9, 16}) {
    for (const auto& [m, features] : {std::pair{1, 700},
                                      {7, 512},
                                      {7, 1024},
                                      {7, 700},
                                      {16, 700},
                                      {100, 513},
                                      {127, 1023},
                                      {128, 600}}) {
      const Problem p = problem(m, features, features, rank);
      const RuleRange* rule = find(rules, p);
      ASSERT_NE(rule, nullptr) << to_string(p);
      EXPECT_EQ(rule->choice, candidate(1));
      EXPECT_NEAR(rule->regret_bound, 0, 1e-9);
    }
  }
  for (const Problem& p :
       {problem(0, 512, 512, 8), problem(129, 512, 512, 8), problem(7, 511, 511, 8),
        problem(7, 1025, 1025, 8), problem(7, 512, 1024, 8), problem(7, 512, 512, 7),
        problem(7, 512, 512, 17)}) {
    EXPECT_EQ(find(rules, p), nullptr) << to_string(p);
  }
}

TEST(Rules, NeighboursOfOneChoiceAreOneRule) {
  const auto rules = make_rules(grid(always_1), kRulesDevice);
  ASSERT_EQ(rules.size(), 5U);  // at each of both features the gaps in m, and one between them
  EXPECT_EQ(rules[2].m, (Range{1, 128}));
  EXPECT_EQ(rules[2].k, (Range{513, 1023}));
  EXPECT_EQ(rules[2].rank, (Range{8, 16}));
}

// Two equal candidates, listed in another order by some problems.
TEST(Rules, DoNotDependOnTheOrderOfProblems) {
  auto measured = grid([](const Problem&, int) { return 0.8; });
  for (auto& entry : measured) {
    if (entry.problem.m == 128) std::swap(entry.candidates[1], entry.candidates[2]);
  }
  const auto rules = make_rules(measured, kRulesDevice);
  ASSERT_FALSE(rules.empty());
  std::reverse(measured.begin(), measured.end());
  EXPECT_EQ(make_rules(measured, kRulesDevice), rules);
}

TEST(Rules, ChooseTheLeastWorstRegretOverTheCorners) {
  // 1 is best at m = 1 and 2 elsewhere; 1 costs 4 % elsewhere, 2 only 2 % at m = 1.
  const Cost cost = [](const Problem& p, int value) {
    if (p.m == 1) return value == 1 ? 0.7 : 0.7 * 1.02;
    return value == 2 ? 0.7 : 0.7 * 1.04;
  };
  const auto rules = make_rules(grid(cost), kRulesDevice);
  const RuleRange* rule = find(rules, problem(7, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(2));
  EXPECT_NEAR(rule->regret_bound, 0.02, 1e-9);
  // Where m is 1 itself, 1 has no regret.
  rule = find(rules, problem(1, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(1));
}

// The choice of all corners looks good at each of them; that of three is bad at the fourth.
TEST(Rules, TheBoundComesFromCornersThatHadNoSay) {
  const Cost cost = [](const Problem& p, int value) {
    const bool odd_one = p.m == 16 && p.k == 1024;
    if (value == 1) return odd_one ? 0.8 : 0.7;  // best at three, 14 % slow at the fourth
    return odd_one ? 0.7 : 0.7 * 1.03;           // 2: never more than 3 %
  };
  const auto rules = make_rules(grid(cost), kRulesDevice);
  EXPECT_EQ(find(rules, problem(7, 700, 700, 8)), nullptr);
  RuleLimits lax;
  lax.regret = 0.2;
  const auto more = make_rules(grid(cost), kRulesDevice, lax);
  const RuleRange* rule = find(more, problem(7, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(2));
  EXPECT_NEAR(rule->regret_bound, 0.8 / 0.7 - 1, 1e-9);
}

TEST(Rules, WithoutAGainAtEveryCornerThereIsNone) {
  const Cost cost = [](const Problem& p, int value) {
    return p.m == 16 ? 0.985 : (value == 1 ? 0.97 : 0.98);
  };
  EXPECT_TRUE(make_rules(grid(cost, {8}), kRulesDevice).size() >
              0U);  // m = 1 and 128 by themselves
  for (const std::int64_t m : {7, 16, 17}) {
    EXPECT_EQ(find(make_rules(grid(cost), kRulesDevice), problem(m, 700, 700, 8)), nullptr);
  }
  EXPECT_TRUE(make_rules(grid([](const Problem&, int) { return 1.0; }), kRulesDevice).empty());
}

TEST(Rules, ACandidateThatACornerDidNotMeasureIsOut) {
  const Cost cost = [](const Problem& p, int value) {
    if (value == 1) return p.m == 16 && p.k == 512 ? kNotANumber : 0.7;
    return 0.71;
  };
  const auto rules = make_rules(grid(cost), kRulesDevice);
  // Three corners would choose 1; the fourth did not race it, being slow there.
  EXPECT_EQ(find(rules, problem(7, 700, 700, 8)), nullptr);
  const RuleRange* rule = find(rules, problem(128, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(1));
}

// What a corner did not try says nothing of those that all tried, and cannot be the choice.
TEST(Rules, ACandidateThatACornerDidNotTryHasNoSay) {
  const Cost cost = [](const Problem&, int value) { return value == 2 ? 0.6 : 0.7; };
  auto measured = grid(cost, {8});
  for (MeasuredProblem& entry : measured) {
    if (entry.problem.m != 16 || entry.problem.k != 512) continue;
    entry.candidates.pop_back();
    entry.log_ratios.pop_back();
  }
  const auto rules = make_rules(measured, kRulesDevice);
  const RuleRange* rule = find(rules, problem(128, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(2));
  EXPECT_EQ(find(rules, problem(7, 700, 700, 8)), nullptr) << "1 costs 17 % at three corners";
  RuleLimits lax;
  lax.regret = 0.2;
  const auto more = make_rules(measured, kRulesDevice, lax);
  rule = find(more, problem(7, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(1));
  EXPECT_NEAR(rule->regret_bound, 0.7 / 0.6 - 1, 1e-9);
}

TEST(Rules, NotMeasuredIsNotGood) {
  const Cost cost = [](const Problem& p, int value) {
    const bool odd_one = p.m == 16 && p.k == 512;
    if (value == 1) return odd_one ? kNotANumber : 0.705;
    if (value == 2) return odd_one ? 0.71 : 0.7;
    return odd_one ? 0.7 : 0.9;
  };
  std::vector<MeasuredProblem> measured;
  for (const std::int64_t features : {512, 1024}) {
    for (const std::int64_t m : {1, 16}) {
      measured.push_back(measure(problem(m, features, features, 8), cost, 3));
    }
  }
  const auto rules = make_rules(measured, kRulesDevice);
  const RuleRange* rule = find(rules, problem(7, 700, 700, 8));
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->choice, candidate(2));
}

TEST(Rules, AMissingCornerGivesNoRule) {
  auto measured = grid(always_1, {8});
  std::erase_if(measured,
                [](const auto& entry) { return entry.problem.m == 16 && entry.problem.k == 512; });
  const auto rules = make_rules(measured, kRulesDevice);
  EXPECT_EQ(find(rules, problem(7, 700, 700, 8)), nullptr);
  EXPECT_NE(find(rules, problem(7, 1024, 1024, 8)), nullptr);
}

TEST(Rules, AConfigCountsWhereAnotherOfTheSamePlanWasMeasured) {
  // 3 is the best at m = 16; at m = 1 its plan is that of 2, and only 2 is listed.
  const Cost best_2 = [](const Problem&, int value) { return value == 2 ? 0.7 : 0.95; };
  const Cost best_3 = [](const Problem&, int value) {
    return value == 3 ? 0.7 : (value == 2 ? 0.71 : 0.95);
  };
  const auto rules = make_rules(std::vector{measure(problem(1, 512, 512, 8), best_2),
                                            measure(problem(16, 512, 512, 8), best_3, 3)},
                                kRulesDevice);
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].choice, candidate(3));
  EXPECT_EQ(rules[0].m, (Range{2, 15}));
}

TEST(Rules, AChoiceMustRunAtTheEndsOfItsBox) {
  std::vector<MeasuredProblem> measured;
  for (const std::int64_t m : {1, 16}) {
    for (const int rank : {4, 8}) {
      MeasuredProblem entry = measure(problem(m, 512, 512, rank), always_1);
      entry.candidates.push_back(candidate(100));
      entry.log_ratios.push_back(std::log(0.79));
      measured.push_back(entry);
    }
  }
  const auto choice_at = [&](int rank) {
    return find(make_rules(measured, kRulesDevice), problem(7, 512, 512, rank))->choice;
  };
  EXPECT_EQ(choice_at(8), candidate(100));
  Variant refuses_low = kVariant;
  refuses_low.space.constraint = [](const Config& c, const Problem& p, const DeviceInfo&) {
    return c[0] < 100 || p.rank > 6;
  };
  for (auto& entry : measured) {
    for (auto& c : entry.candidates) c.variant = &refuses_low;
  }
  EXPECT_EQ(choice_at(8).config, Config{1});
}

TEST(Rules, RanksFarBelowTheMeasuredOneAreNotCovered) {
  const auto rules = make_rules(grid(always_1, {8, 64}), kRulesDevice);
  EXPECT_NE(find(rules, problem(7, 700, 700, 8)), nullptr);
  EXPECT_NE(find(rules, problem(7, 700, 700, 33)), nullptr);
  for (const int rank : {9, 16, 32}) {
    EXPECT_EQ(find(rules, problem(7, 700, 700, rank)), nullptr) << rank;
  }
}

TEST(Rules, KindsDoNotMix) {
  auto measured = grid(always_1, {8});
  auto other = grid([](const Problem&, int value) { return value == 2 ? 0.8 : 0.9; }, {4});
  for (auto& entry : other) entry.problem.dtype = Dtype::f16;
  measured.insert(measured.end(), other.begin(), other.end());
  auto aligned = grid([](const Problem&, int) { return 0.1; }, {32});
  for (auto& entry : aligned) entry.problem.align = 16;
  measured.insert(measured.end(), aligned.begin(), aligned.end());
  const auto rules = make_rules(measured, kRulesDevice);
  Problem p = problem(7, 700, 700, 8);
  EXPECT_EQ(find(rules, p)->choice, candidate(1));
  EXPECT_EQ(find(rules, p)->rank, (Range{8, 8})) << "ranks of the other dtype are no neighbours";
  p.dtype = Dtype::f16;
  EXPECT_EQ(find(rules, p), nullptr);
  p.rank = 4;
  EXPECT_EQ(find(rules, p)->choice, candidate(2));
  p.accumulate = false;
  EXPECT_EQ(find(rules, p), nullptr);
  p = problem(7, 700, 700, 32);
  EXPECT_EQ(find(rules, p), nullptr);
}

// What makes another kind of problem: types, slices, adapters, dora.
TEST(Rules, EveryAxisIsAKindOfItsOwn) {
  std::vector<Problem> kinds(4);
  kinds[0].weights = Dtype::bf16;
  kinds[1].slices = *parse_slices("300+212");
  kinds[2].adapters = 8;
  kinds[3].dora = true;
  std::vector<MeasuredProblem> measured;
  const auto of_kind = [&](std::size_t i, std::int64_t m) {
    Problem p = problem(m, 512, 512, 8);
    p.weights = kinds[i].weights;
    p.slices = kinds[i].slices;
    p.adapters = kinds[i].adapters;
    p.dora = kinds[i].dora;
    return p;
  };
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const int best = i % 2 == 0 ? 1 : 2;
    for (const std::int64_t m : {1, 16}) {
      measured.push_back(measure(
          of_kind(i, m), [best](const Problem&, int value) { return value == best ? 0.5 : 0.9; }));
    }
  }
  const auto rules = make_rules(measured, kRulesDevice);
  EXPECT_EQ(rules.size(), kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const RuleRange* rule = find(rules, of_kind(i, 8));
    ASSERT_NE(rule, nullptr) << to_string(of_kind(i, 8));
    EXPECT_EQ(rule->choice, candidate(i % 2 == 0 ? 1 : 2));
  }
  EXPECT_EQ(find(rules, problem(8, 512, 512, 8)), nullptr) << "of no plain problem";
}

// Pairs that do not grow together give no box between them, and none overlap.
TEST(Rules, FeaturesThatAreNotSquareNeverOverlap) {
  std::vector<MeasuredProblem> measured;
  const std::vector<std::pair<int, int>> pairs = {{512, 512},  {512, 2048}, {600, 700},
                                                  {700, 600},  {700, 800},  {1024, 64},
                                                  {2048, 512}, {2048, 2048}};
  for (const auto& [k, n] : pairs) {
    for (const std::int64_t m : {1, 3, 4})
      measured.push_back(measure(problem(m, k, n, 8), always_1));
  }
  const auto rules = make_rules(measured, kRulesDevice);
  int covered = 0;
  for (std::int64_t k = 500; k <= 2060; k += 4) {
    for (std::int64_t n = 500; n <= 2060; n += 4) {
      for (const std::int64_t m : {1, 2, 3, 4}) {
        covered += find(rules, problem(m, k, n, 8)) != nullptr ? 1 : 0;
      }
    }
  }
  EXPECT_GT(covered, 1000);
  for (const auto& [k, n] : pairs) EXPECT_NE(find(rules, problem(2, k, n, 8)), nullptr);
  EXPECT_EQ(find(rules, problem(2, 512, 1000, 8)), nullptr);
  EXPECT_NE(find(rules, problem(2, 650, 750, 8)), nullptr) << "700 x 600 is not in the way";
}

TEST(Rules, OfNothingThereAreNone) {
  EXPECT_TRUE(make_rules({}, kRulesDevice).empty());
  const Cost small_gain = [](const Problem&, int) { return 0.97; };
  const std::vector<MeasuredProblem> lone = {measure(problem(1, 8, 8, 4), small_gain),
                                             measure(problem(1, 8, 8, 8), small_gain)};
  EXPECT_TRUE(make_rules(lone, kRulesDevice).empty()) << "one corner cannot judge itself";
}

}  // namespace
}  // namespace loratune
