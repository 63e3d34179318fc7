#include "tuner/enumerate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "made_up_devices.h"
#include "variant_lists.h"

namespace loratune {
namespace {

Problem problem(std::int64_t m, std::int64_t features, int rank) {
  Problem p;
  p.m = m;
  p.k = p.n = features;
  p.rank = rank;
  return p;
}

const Problem kProblems[] = {problem(1, 512, 8), problem(128, 2048, 64), problem(17, 100, 3)};

class EnumerateTest : public testing::TestWithParam<const Variant*> {};

// A constraint that breaks what SearchSpace promises would lose configs here.
TEST_P(EnumerateTest, FindsAllThatTheConstraintAllows) {
  const Variant& variant = *GetParam();
  for (const DeviceInfo& device :
       {made_up::cpu(), made_up::nvidia(), made_up::small(), made_up::tiny()}) {
    for (const Problem& p : kProblems) {
      std::vector<Config> all;
      for (std::int64_t i = 0; i < product_size(variant.space); ++i) {
        const Config config = config_at(variant.space, i);
        if (can_run(variant, config, p, device)) all.push_back(config);
      }
      EXPECT_EQ(allowed_configs(variant, axes_of(variant.space), p, device), all)
          << device.name << ' ' << to_string(p);
    }
  }
}

TEST_P(EnumerateTest, ThinnedAxesKeepTheDefaultsAndTheLimit) {
  const Variant& variant = *GetParam();
  const DeviceInfo device = made_up::nvidia();
  const AxisValues whole = axes_of(variant.space);
  const AxisValues thin = thinned_axes(variant, kProblems, device, 60);
  ASSERT_EQ(thin.size(), whole.size());
  for (std::size_t i = 0; i < thin.size(); ++i) {
    EXPECT_TRUE(std::includes(whole[i].begin(), whole[i].end(), thin[i].begin(), thin[i].end()));
  }
  for (const Problem& p : kProblems) {
    if (!variant.supports(p, device)) continue;
    const auto configs = allowed_configs(variant, thin, p, device);
    EXPECT_LE(distinct_configs(variant, configs, p, device).size(), 60U);
    const Config start = variant.default_config(p, device);
    EXPECT_EQ(std::count(configs.begin(), configs.end(), start), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, EnumerateTest, testing::ValuesIn(plain_variants()),
                         [](const auto& instance) { return std::string(instance.param->name); });

TEST(Enumerate, PassesOverWhatSharesARefusedBeginning) {
  const AxisValues axes(4, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  int asked = 0;
  int visited = 0;
  for_each_allowed(
      axes,
      [&](const Config& config) {
        ++asked;
        return config[0] * config[1] <= 4;
      },
      [&](const Config&) { ++visited; });
  EXPECT_EQ(visited, 8 * 100);  // 1x1..1x4, 2x1, 2x2, 3x1, 4x1
  EXPECT_LT(asked, 1000) << "of a product of 10,000";
}

TEST(Enumerate, NothingWhereTheSmallestPointIsRefused) {
  for_each_allowed(
      {{1, 2}, {1, 2}}, [](const Config&) { return false; }, [](const Config&) { FAIL(); });
}

TEST(Enumerate, OfEqualPlansTheFirstIsKept) {
  const Variant& variant = *find_variant("rank_specialized");
  const DeviceInfo device = made_up::gpu();
  const Problem p = problem(16, 64, 8);
  const auto all = allowed_configs(variant, axes_of(variant.space), p, device);
  const auto distinct = distinct_configs(variant, all, p, device);
  ASSERT_LT(distinct.size(), all.size()) << "blocks wider than y are the same";
  for (const Config& config : all) {
    const LaunchPlan plan = variant.plan(p, config, device);
    EXPECT_EQ(
        std::count_if(distinct.begin(), distinct.end(),
                      [&](const Config& other) { return variant.plan(p, other, device) == plan; }),
        1);
  }
}

}  // namespace
}  // namespace loratune
