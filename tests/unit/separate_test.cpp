// The modules of a group one after another: which kernels they take, and where that is the default.
#include <gtest/gtest.h>

#include "harness/base/plan_json.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/variants/slices.h"
#include "made_up_devices.h"

namespace loratune {
namespace {

using nlohmann::json;

const Variant& separate() { return *find_variant("separate"); }

Problem group(std::int64_t m, Dtype dtype = Dtype::f32) {
  Problem problem;
  problem.dtype = dtype;
  problem.m = m;
  problem.k = 2048;
  problem.n = 2048 + 512 + 512;
  problem.slices = {{2048, 512, 512}, 3};
  problem.rank = 16;
  return problem;
}

const DeviceInfo kDevices[] = {made_up::gpu(), made_up::nvidia(), made_up::cpu(), made_up::small(),
                               made_up::tiny()};

TEST(Separate, TakesGroupsOnly) {
  for (const DeviceInfo& device : kDevices) {
    EXPECT_TRUE(separate().supports(group(16), device)) << device.name;
    EXPECT_FALSE(separate().supports(slice_problem(group(16), 0), device)) << device.name;
  }
}

TEST(Separate, HasTheDefaultPlanOfEachModule) {
  for (const DeviceInfo& device : kDevices) {
    for (const std::int64_t m : {1, 16, 512}) {
      const Problem problem = group(m);
      const Config config = separate().default_config(problem, device);
      ASSERT_TRUE(can_run(separate(), config, problem, device)) << device.name;
      const LaunchPlan plan = separate().plan(problem, config, device);
      EXPECT_EQ(invalid_reason(plan), "");
      ASSERT_EQ(plan.parts.size(), 3U);
      for (int i = 0; i < 3; ++i) {
        const Problem alone = slice_problem(problem, i);
        const Choice choice = default_choice(alone, device);
        const LaunchPlan& part = plan.parts[static_cast<std::size_t>(i)];
        EXPECT_EQ(part, choice.variant->plan(alone, choice.config, device)) << device.name;
        EXPECT_EQ(part.made_for.problem, alone);
      }
      EXPECT_EQ(plan_from_json(json::parse(to_json(plan).dump())), plan);
    }
  }
}

// They are planned once, wherever they stand.
TEST(Separate, HasThePlanOfEachModuleWhereSomeAreAlike) {
  Problem problem = group(16);
  problem.slices = {{512, 2048, 512, 2048, 1024}, 5};
  problem.n = 512 + 2048 + 512 + 2048 + 1024;
  for (const DeviceInfo& device : kDevices) {
    const Config config = separate().default_config(problem, device);
    ASSERT_TRUE(can_run(separate(), config, problem, device)) << device.name;
    const LaunchPlan plan = separate().plan(problem, config, device);
    ASSERT_EQ(plan.parts.size(), 5U);
    for (int i = 0; i < 5; ++i) {
      const Problem alone = slice_problem(problem, i);
      const Choice choice = default_choice(alone, device);
      EXPECT_EQ(plan.parts[static_cast<std::size_t>(i)],
                choice.variant->plan(alone, choice.config, device))
          << device.name << ", slice " << i;
    }
  }
}

// What Mode::batch_invariant rests on.
TEST(Separate, KeepsTheKernelsOfAConfigWhateverMIs) {
  for (const DeviceInfo& device : kDevices) {
    const Config config = separate().default_config(group(64), device);
    const std::string key = program_key(separate().plan(group(64), config, device));
    for (const std::int64_t m : {1, 17, 100}) {
      if (!can_run(separate(), config, group(m), device)) continue;
      EXPECT_EQ(program_key(separate().plan(group(m), config, device)), key) << m;
    }
  }
}

TEST(Separate, IsTheDefaultWhereOnlyModulesAloneHaveAKernelForTheDevice) {
  const auto name = [](const Problem& problem, const DeviceInfo& device) {
    return default_choice(problem, device).variant->name;
  };
  // Where the scratch for all modules is more than the device allocates, that for one is not.
  Problem large = group(512, Dtype::f16);
  large.rank = 72;
  DeviceInfo device = made_up::nvidia();
  EXPECT_EQ(name(large, device), "tensor");
  device.max_alloc_bytes = 200'000;
  EXPECT_EQ(name(slice_problem(large, 0), device), "tensor");
  EXPECT_EQ(name(large, device), "separate");
  for (const DeviceInfo& other : {made_up::gpu(), made_up::cpu(), made_up::tiny()}) {
    for (const std::int64_t m : {1, 16, 512}) {
      EXPECT_EQ(name(group(m), other), name(slice_problem(group(m), 0), other)) << other.name;
    }
  }
}

TEST(Separate, GroupsHaveADefaultOnEveryDevice) {
  for (const DeviceInfo& device : kDevices) {
    for (const std::int64_t m : {0, 1, 16, 512}) {
      for (const bool dora : {false, true}) {
        Problem problem = group(m);
        problem.dora = dora;
        const Choice choice = default_choice(problem, device);
        ASSERT_NE(choice.variant, nullptr) << device.name;
        EXPECT_TRUE(can_run(*choice.variant, choice.config, problem, device)) << device.name;
        for (const Choice& other : fallback_choices(problem, device)) {
          EXPECT_TRUE(can_run(*other.variant, other.config, problem, device)) << device.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace loratune
