#include "tuner/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/tuned_file.h"
#include "tuner/enumerate.h"
#include "variant_lists.h"

namespace loratune {
namespace {

DeviceInfo device(DeviceType type) {
  DeviceInfo info;
  info.type = type;
  info.opencl_c = "1.2";
  info.compute_units = 16;
  info.preferred_multiple = type == DeviceType::gpu ? 32 : 1;
  info.max_work_group_size = 1024;
  info.local_mem_bytes = 48 * 1024;
  info.max_alloc_bytes = std::int64_t{1} << 30;
  info.nv_compute_capability = type == DeviceType::gpu ? 90 : 0;
  info.native_kernels = type == DeviceType::cpu;
  return info;
}

// Every variant takes this on the GPU, the CPU or both.
bool runs_on(const Variant& variant, DeviceType type) {
  Problem p;
  p.k = p.n = 512;
  p.m = p.rank = 16;
  return variant.supports(p, device(type));
}

Problem problem(std::int64_t m, std::int64_t features, int rank = 16) {
  Problem p;
  p.m = m;
  p.k = p.n = features;
  p.rank = rank;
  return p;
}

std::vector<Problem> group() {
  return {problem(1, 512), problem(16, 512), problem(128, 2048), problem(512, 1024)};
}

class CandidatesTest : public testing::TestWithParam<const Variant*> {};

TEST_P(CandidatesTest, SampleIsDistinctAllowedAndStartsWithTheDefaults) {
  const Variant& variant = *GetParam();
  ASSERT_TRUE(runs_on(variant, DeviceType::gpu) || runs_on(variant, DeviceType::cpu));
  for (const DeviceType type : {DeviceType::cpu, DeviceType::gpu}) {
    if (!runs_on(variant, type)) continue;
    const DeviceInfo info = device(type);
    const auto problems = group();
    for (const int count : {1, 2, 10, 40}) {
      const auto configs = sample_configs(variant, problems, info, count, 3);
      EXPECT_LE(configs.size(), static_cast<std::size_t>(count));
      ASSERT_FALSE(configs.empty());
      std::set<std::string> names;
      for (const Config& config : configs) {
        names.insert(to_string(variant.space, config));
        EXPECT_TRUE(std::any_of(problems.begin(), problems.end(), [&](const Problem& p) {
          return can_run(variant, config, p, info);
        }));
      }
      EXPECT_EQ(names.size(), configs.size());
      std::vector<Config> defaults;
      for (const Problem& p : problems) {
        const Config config = variant.default_config(p, info);
        if (std::find(defaults.begin(), defaults.end(), config) == defaults.end()) {
          defaults.push_back(config);
        }
      }
      for (std::size_t i = 0; i < std::min(defaults.size(), configs.size()); ++i) {
        EXPECT_EQ(configs[i], defaults[i]);
      }
    }
  }
}

TEST_P(CandidatesTest, SampleFollowsItsSeed) {
  const Variant& variant = *GetParam();
  const DeviceInfo info =
      device(runs_on(variant, DeviceType::gpu) ? DeviceType::gpu : DeviceType::cpu);
  const auto sample = [&](std::uint64_t seed) {
    return sample_configs(variant, group(), info, 30, seed);
  };
  EXPECT_EQ(sample(1), sample(1));
  // A space that is taken whole is the same for every seed.
  if (product_size(variant.space) > 30) {
    EXPECT_NE(sample(1), sample(2));
  }
}

TEST_P(CandidatesTest, ASmallSpaceIsTakenWhole) {
  const Variant& variant = *GetParam();
  const DeviceInfo info =
      device(runs_on(variant, DeviceType::cpu) ? DeviceType::cpu : DeviceType::gpu);
  const Problem p = problem(16, 512);
  const std::size_t size = allowed_configs(variant, axes_of(variant.space), p, info).size();
  const auto all = sample_configs(variant, std::vector{p}, info, static_cast<int>(size), 1);
  EXPECT_EQ(all.size(), size);
  EXPECT_EQ(all.front(), variant.default_config(p, info));
}

TEST_P(CandidatesTest, AllowedConfigsAreWhatCanRun) {
  const Variant& variant = *GetParam();
  for (const std::int64_t local_mem : {4 * 1024, 48 * 1024}) {
    DeviceInfo info = device(DeviceType::gpu);
    info.local_mem_bytes = local_mem;
    info.max_work_group_size = local_mem / 64;
    const Problem p = problem(128, 512, 64);
    std::size_t count = 0;
    for (std::int64_t i = 0; i < product_size(variant.space); ++i) {
      count += can_run(variant, config_at(variant.space, i), p, info) ? 1 : 0;
    }
    EXPECT_EQ(allowed_configs(variant, axes_of(variant.space), p, info).size(), count);
    EXPECT_EQ(count > 0, variant.supports(p, info));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, CandidatesTest, testing::ValuesIn(plain_variants()),
                         [](const auto& instance) { return std::string(instance.param->name); });

TEST(Candidates, AVariantThatSupportsNothingHasNoConfigs) {
  Variant variant = *find_variant("naive");
  variant.VariantParts::supports = [](const Problem&, const DeviceInfo&) { return false; };
  EXPECT_TRUE(sample_configs(variant, group(), device(DeviceType::cpu), 10, 1).empty());
}

// PoCL 5.0 sums these wrongly, and not in every process, so that a check could miss it.
TEST(Candidates, TiledHasNoLanesForRowsOfSeveralAdaptersOnPocl) {
  const Variant& variant = *find_variant("tiled");
  const auto with_lanes = [&](const Problem& p, const DeviceInfo& info) {
    const std::pair<std::string, std::int32_t> one_lane = {"K_LANES", 1};
    const auto configs = allowed_configs(variant, axes_of(variant.space), p, info);
    EXPECT_FALSE(configs.empty());
    return std::ranges::count_if(configs, [&](const Config& config) {
      return std::ranges::count(named_config(variant.space, config), one_lane) == 0;
    });
  };
  Problem rows = problem(16, 512);
  rows.adapters = 3;
  DeviceInfo info = device(DeviceType::cpu);
  EXPECT_GT(with_lanes(rows, info), 0);
  info.platform = "Portable Computing Language";
  EXPECT_EQ(with_lanes(rows, info), 0);
  EXPECT_GT(with_lanes(problem(16, 512), info), 0);
}

// The threads are those of the process, which may have more of them than a device of one unit.
TEST(Candidates, NativeTakesAsManyThreadsAsTheProcessMayUse) {
  const Variant& variant = *find_variant("native");
  const auto most_threads = [&](int units, double usable_cpus) {
    DeviceInfo info = device(DeviceType::cpu);
    info.compute_units = units;
    info.usable_cpus = usable_cpus;
    std::int32_t most = 0;
    for (const Config& config :
         allowed_configs(variant, axes_of(variant.space), problem(16, 512), info)) {
      most = std::max(most, config[0]);
    }
    return most;
  };
  EXPECT_EQ(most_threads(24, 0), 16);
  EXPECT_EQ(most_threads(24, 1.5), 1);
  EXPECT_EQ(most_threads(1, 0), 1);
  EXPECT_EQ(most_threads(1, 24), 16);
}

TEST(Candidates, HalfOfALargeSampleStaysNearTheDefaultsInTurnWithTheRest) {
  const Variant& variant = *find_variant("tiled");
  const DeviceInfo info = device(DeviceType::gpu);
  const Problem p = problem(128, 2048);
  const Config start = variant.default_config(p, info);
  const auto configs = sample_configs(variant, std::vector{p}, info, 41, 1);
  ASSERT_EQ(configs.size(), 41U);
  const auto moved = [&](const Config& config) {
    int count = 0;
    for (int i = 0; i < config.size(); ++i) count += config[i] != start[i] ? 1 : 0;
    return count;
  };
  // In turn: neighbours of the default at odd places, draws from all of the space at even ones.
  int far = 0;
  std::set<int> first_values;
  for (std::size_t i = 1; i < configs.size(); i += 2) EXPECT_LE(moved(configs[i]), 2);
  for (std::size_t i = 2; i < configs.size(); i += 2) {
    far += moved(configs[i]) > 2 ? 1 : 0;
    first_values.insert(configs[i][0]);
  }
  EXPECT_GT(far, 15);
  EXPECT_GT(first_values.size(), 2U) << "not drawn from all of the space";
}

// BLOCK_N beyond n changes nothing: such configs would spend the sample on copies.
TEST(Candidates, ALargeSampleHoldsNoTwoConfigsOfEqualPlans) {
  const Variant& variant = *find_variant("rank_specialized");
  const DeviceInfo info = device(DeviceType::gpu);
  const Problem p = problem(16, 64);
  const auto configs = sample_configs(variant, std::vector{p}, info, 60, 1);
  ASSERT_EQ(configs.size(), 60U);
  for (std::size_t i = 0; i < configs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(variant.plan(p, configs[i], info), variant.plan(p, configs[j], info));
    }
  }
}

TEST(Candidates, CandidatesStartWithTheDefaultAndHaveDistinctPlans) {
  DeviceInfo info = device(DeviceType::gpu);
  info.max_work_group_size = 128;
  const Problem p = problem(16, 64);
  const Choice choice = default_choice(p, info);
  const Candidate anchor = {choice.variant, choice.config};
  std::vector<Candidate> pool;
  for (const Variant* variant : variants()) {
    for (const Config& config : sample_configs(*variant, group(), device(DeviceType::gpu), 60, 1)) {
      pool.push_back({variant, config});
    }
  }
  const Variant& special = *find_variant("rank_specialized");
  Config narrow = special.default_config(p, info);
  narrow[4] = 64;
  Config wide = narrow;
  wide[4] = 4096;
  ASSERT_EQ(special.plan(p, narrow, info), special.plan(p, wide, info));
  pool.insert(pool.begin(), {{&special, wide}, {&special, narrow}});

  const auto candidates = candidates_for(p, info, pool, anchor);
  EXPECT_EQ(candidates[0], anchor);
  EXPECT_EQ(candidates[1], (Candidate{&special, wide}))
      << "the first of equals, in the pool's order";
  EXPECT_EQ(std::count(candidates.begin(), candidates.end(), Candidate{&special, narrow}), 0);
  EXPECT_EQ(std::count(candidates.begin(), candidates.end(), anchor), 1);
  std::size_t runnable = 0;
  for (const Candidate& candidate : pool) {
    if (!can_run(*candidate.variant, candidate.config, p, info)) continue;
    ++runnable;
    // Each that can run is there, itself or as one of equal plan.
    const LaunchPlan plan = candidate.variant->plan(p, candidate.config, info);
    EXPECT_EQ(std::count_if(candidates.begin(), candidates.end(),
                            [&](const Candidate& other) {
                              return other.variant->plan(p, other.config, info) == plan;
                            }),
              1);
  }
  EXPECT_LT(candidates.size(), runnable + 1);
  EXPECT_LT(runnable, pool.size()) << "some of the pool must be refused for this to tell";
}

}  // namespace
}  // namespace loratune
