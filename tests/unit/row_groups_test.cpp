// A plan serves fewer rows than it was made for: only grids and scratch may follow m.
#include <gtest/gtest.h>

#include "loratune/variants/variant.h"
#include "made_up_devices.h"
#include "tuner/candidates.h"

namespace loratune {
namespace {

TEST(RowGroups, GiveTheGridOfThePlanForFewerRows) {
  int compared = 0;
  for (const DeviceInfo& device : {made_up::gpu(), made_up::nvidia(), made_up::cpu()}) {
    for (const Variant* variant : variants()) {
      for (const std::int64_t most : {2, 64, 4097}) {
        Problem large;
        large.m = most;
        large.k = 563;
        large.n = 1000;
        large.rank = 12;
        if (!variant->supports(large, device)) continue;
        for (const Config& config : sample_configs(*variant, {&large, 1}, device, 6, 1)) {
          const LaunchPlan plan = variant->plan(large, config, device);
          for (const std::int64_t m : {std::int64_t{1}, most / 2, most - 1, most}) {
            Problem small = large;
            small.m = m;
            if (!can_run(*variant, config, small, device)) continue;
            LaunchPlan own = variant->plan(small, config, device);
            ASSERT_EQ(plan.launches.size(), own.launches.size());
            ASSERT_EQ(plan.scratch.size(), own.scratch.size());
            for (std::size_t i = 0; i < own.scratch.size(); ++i) {
              EXPECT_GE(plan.scratch[i].bytes, own.scratch[i].bytes) << variant->name;
              own.scratch[i].bytes = plan.scratch[i].bytes;
            }
            for (std::size_t l = 0; l < own.launches.size(); ++l) {
              const std::uint64_t global = global_for(plan.launches[l], m);
              if (plan.launches[l].row_groups.rows != 0) {
                EXPECT_EQ(global, own.launches[l].global[0]) << variant->name << ", m " << m;
              } else {
                EXPECT_GE(global, own.launches[l].global[0]) << variant->name << ", m " << m;
              }
              own.launches[l].global[0] = plan.launches[l].global[0];
            }
            EXPECT_EQ(own, plan) << variant->name << ": " << to_string(variant->space, config);
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 500);
}

// The default of rows of several adapters is a config of the space, with blocks that a route has.
TEST(RowGroups, OfSeveralAdaptersAreBlocksOfARoute) {
  int compared = 0;
  for (const DeviceInfo& device : {made_up::gpu(), made_up::cpu(), made_up::small()}) {
    for (const Variant* variant : variants()) {
      for (const int adapters : {1, 2, 8, 33}) {
        for (const int rank : {1, 8, 12, 25, 64, 129}) {
          for (const std::int64_t m : {1, 16, 129, 2048}) {
            Problem problem;
            problem.m = m;
            problem.k = 1030;
            problem.n = 1000;
            problem.rank = rank;
            problem.adapters = adapters;
            if (!variant->supports(problem, device)) continue;
            const Config config = variant->default_config(problem, device);
            EXPECT_TRUE(can_run(*variant, config, problem, device))
                << variant->name << ' ' << to_string(problem) << ' '
                << to_string(variant->space, config);
            const LaunchPlan plan = variant->plan(problem, config, device);
            EXPECT_EQ(invalid_reason(plan), "");
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 200);
}

}  // namespace
}  // namespace loratune
