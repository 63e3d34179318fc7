#include <gtest/gtest.h>

#include <map>
#include <set>

#include "harness/sweep/plan.h"
#include "loratune/dispatch/default_choice.h"
#include "made_up_devices.h"

namespace loratune {
namespace {

Problem problem_of(std::int64_t m, int rank) {
  Problem p;
  p.m = m;
  p.k = p.n = 512;
  p.rank = rank;
  return p;
}

TEST(SweepPlan, ABudgetBelowTheLeastIsToldWithHowThatWasEstimated) {
  SweepOptions options;
  for (int i = 0; i < 120; ++i) options.problems.push_back(problem_of(i + 1, 8));
  options.budget_s = 5;
  const std::string note = budget_note(options);
  EXPECT_NE(note.find("budget of 5 s"), std::string::npos) << note;
  EXPECT_NE(note.find("84 s or so that 120 problems"), std::string::npos) << note;
  EXPECT_NE(note.find("0.7 s each, as measured on two CPU cores"), std::string::npos) << note;
  EXPECT_EQ(note.find('\n'), std::string::npos);
  options.budget_s = 11;
  EXPECT_EQ(budget_note(options, 8), "") << "by 8 devices side by side";
  options.budget_s = 10;
  EXPECT_NE(budget_note(options, 8), "");
  options.budget_s = 83.9;
  EXPECT_NE(budget_note(options), "");
  options.budget_s = 84.1;
  EXPECT_EQ(budget_note(options), "");
  options.problems.resize(1);
  options.budget_s = 1;
  EXPECT_EQ(budget_note(options), "");
}

TEST(SweepPlan, GroupsShareRankAndBeginWithTheirDefaults) {
  SweepOptions options;
  options.problems = {problem_of(1, 8), problem_of(1, 64), problem_of(16, 8)};
  options.weights = {1, 2, 3};
  const auto groups = plan_sweep(options, made_up::cpu());
  ASSERT_EQ(groups.size(), 2U);
  ASSERT_EQ(groups[0].families.size(), 2U);
  EXPECT_EQ(groups[0].families[1].problems, Family{problem_of(16, 8)});
  EXPECT_EQ(groups[0].families[1].weight, 3);
  EXPECT_EQ(groups[1].families[0].candidates.size(), 1U);
}

TEST(SweepPlan, OfBatchInvariantAllRowCountsAreOneFamilyWithOneDefault) {
  SweepOptions options;
  options.mode = Mode::batch_invariant;
  Problem wide = problem_of(16, 8);
  wide.n = 1024;
  options.problems = {problem_of(512, 8), problem_of(1, 8), wide, problem_of(16, 8),
                      problem_of(16, 64)};
  options.weights = {1, 2, 3, 4, 5};
  const DeviceInfo device = made_up::cpu();
  const auto groups = plan_sweep(options, device);
  ASSERT_EQ(groups.size(), 2U);
  ASSERT_EQ(groups[0].families.size(), 2U);
  const FamilyPlan& family = groups[0].families[0];
  EXPECT_EQ(family.problems, (Family{problem_of(512, 8), problem_of(1, 8), problem_of(16, 8)}));
  EXPECT_EQ(family.weight, 7);
  const Choice choice = default_choice(problem_of(512, 8), device, Mode::batch_invariant);
  EXPECT_EQ(family.candidates, (std::vector<Candidate>{{choice.variant, choice.config}}));
  EXPECT_EQ(groups[0].families[1].problems, Family{wide});
}

// `tensor` takes wide tiles only where there are rows for them.
TEST(SweepPlan, OfBatchInvariantEveryPointRunsOneRowToo) {
  const DeviceInfo device = made_up::nvidia();
  const std::vector<const Variant*> searched = {find_variant("tensor")};
  const Family family = {problem_of(512, 8), problem_of(128, 8)};
  const auto free = search_space(searched, family, Mode::deterministic, device);
  const auto bound = search_space(searched, family, Mode::batch_invariant, device);
  ASSERT_FALSE(bound.empty());
  EXPECT_LT(bound.size(), free.size());
  for (const SpacePoint& point : bound) {
    for (const std::int64_t m : {1, 128, 512}) {
      EXPECT_TRUE(can_run(*searched[0], point.config, problem_of(m, 8), device)) << m;
    }
  }
}

TEST(SweepPlan, PointsOfOneNumberAreOfOneProgramAndNoOthers) {
  const DeviceInfo device = made_up::cpu();
  const Problem p = problem_of(16, 8);
  for (const Variant* variant : variants()) {
    if (!variant->supports(p, device)) continue;
    const std::vector<const Variant*> one = {variant};
    const auto space = search_space(one, {p}, Mode::fast, device);
    const auto numbers = programs_of(one, space, p, device);
    ASSERT_EQ(numbers.size(), space.size());
    std::map<std::size_t, std::string> keys;
    std::set<std::string> distinct;
    for (std::size_t i = 0; i < space.size(); i += 7) {
      const std::string key = program_key(variant->plan(p, space[i].config, device));
      EXPECT_EQ(keys.emplace(numbers[i], key).first->second, key) << variant->name;
      distinct.insert(key);
    }
    EXPECT_EQ(keys.size(), distinct.size()) << variant->name;
  }
}

TEST(SweepPlan, BeginsWithTheVariantsDefaultsThenWithWhatIsKnown) {
  const DeviceInfo device = made_up::cpu();
  const Problem p = problem_of(16, 8);
  const Variant* split = find_variant("split");
  const Variant* tiled = find_variant("tiled");
  const std::vector<const Variant*> searched = {split, tiled};
  const auto space = search_space(searched, {p}, Mode::fast, device);
  const SpacePoint chosen = space[space.size() / 3];
  const Variant* of = searched[static_cast<std::size_t>(chosen.variant)];
  const std::vector<Known> known = {
      {problem_of(32, 8), {of, chosen.config}},
      {problem_of(16, 8),
       {find_variant("naive"), find_variant("naive")->default_config(p, device)}}};
  const auto first = first_points(searched, space, p, device, known);
  ASSERT_EQ(first.size(), 3U) << "naive is not searched";
  EXPECT_EQ(space[first[0]], (SpacePoint{0, split->default_config(p, device)}));
  EXPECT_EQ(space[first[1]], (SpacePoint{1, tiled->default_config(p, device)}));
  EXPECT_EQ(space[first[2]], chosen);
}

TEST(SweepPlan, TriesWhatIsProvenBehindTheDefaultsWhereItMayRun) {
  const DeviceInfo device = made_up::cpu();
  const Variant* variant = find_variant("register_tiled");
  const std::vector<const Variant*> searched = {variant, find_variant("split")};
  for (const int rank : {4, 16, 64}) {
    const Problem p = problem_of(16, rank);
    const auto space = search_space(searched, {p}, Mode::fast, device);
    const auto points = starting_points(searched, space, p, device);
    ASSERT_GT(points.size(), 2U);
    EXPECT_EQ(space[points[0]].config, variant->default_config(p, device));
    EXPECT_EQ(space[points[1]].variant, 1);
    std::vector<Config> expected;
    for (const Config& config : variant->proven) {
      if (can_run(*variant, config, p, device)) expected.push_back(config);
    }
    EXPECT_EQ(expected.size(), rank == 64 ? 5U : 3U);
    std::erase(expected, variant->default_config(p, device));
    ASSERT_EQ(points.size(), 2 + expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(space[points[2 + i]], (SpacePoint{0, expected[i]}));
    }
  }
}

}  // namespace
}  // namespace loratune
