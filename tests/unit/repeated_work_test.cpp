// The slow-down that the gate's own proof plants.
#include <gtest/gtest.h>

#include "harness/gate/plans_file.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

Problem problem_of(std::string_view key) {
  std::string why;
  return parse_problem(key, why).value();
}

LaunchPlan default_plan(std::string_view variant, const Problem& problem) {
  const Variant& found = *find_variant(variant);
  const DeviceInfo device = fictional::device();
  return found.plan(problem, found.default_config(problem, device), device);
}

TEST(RepeatedWork, IsTheShareOfTheFirstLaunchThatWasAskedFor) {
  const Problem problem = problem_of("fwd_m4096_k256_n256_r16_f32_acc");
  const LaunchPlan plan = default_plan("split", problem);
  const std::uint64_t all = global_for(plan.launches[0], problem.m);
  for (const int percent : {5, 10, 50}) {
    const LaunchPlan slower = with_repeated_work(plan, problem, percent);
    ASSERT_EQ(slower.launches.size(), plan.launches.size() + 1);
    const auto share = static_cast<double>(global_for(slower.launches[0], problem.m));
    EXPECT_NEAR(share / static_cast<double>(all), percent / 100.0, 0.005);
    EXPECT_EQ(global_for(slower.launches[1], problem.m), all) << "the launch itself";
    EXPECT_EQ(invalid_reason(slower), "");
  }
  const LaunchPlan twice = with_repeated_work(plan, problem, 200);
  ASSERT_EQ(twice.launches.size(), plan.launches.size() + 2);
  EXPECT_EQ(global_for(twice.launches[0], problem.m), all);
}

TEST(RepeatedWork, IsNoneWhereTheResultWouldBeAnother) {
  const Problem adds = problem_of("fwd_m64_k64_n64_r8_f32_acc");
  const LaunchPlan plan = default_plan("naive", adds);
  EXPECT_EQ(with_repeated_work(plan, adds, 50), plan) << "y would be added to twice";
}

}  // namespace
}  // namespace loratune
