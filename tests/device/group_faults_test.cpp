// Planted faults of groups: a launch takes of one slice what belongs to another, or a kernel finds
// the wrong one. The check must say that it is wrong, for each variant that takes groups.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "harness/check/checker.h"
#include "loratune/variants/slices.h"
#include "test_engine.h"

namespace loratune {
namespace {

struct GroupFault {
  const char* name;
  bool dora, apart;
  Fill fill;
  void (*plant)(LaunchPlan&);
};

void take_from(LaunchPlan& plan, Role role, std::int64_t slice, std::int64_t other) {
  for (Launch& launch : plan.launches) {
    for (Arg& arg : launch.args) {
      if (arg.role == role && arg.value == slice) arg.value = other;
    }
  }
}

void replace(LaunchPlan& plan, const std::string& from, const std::string& to) {
  const std::size_t at = plan.source.find(from);
  ASSERT_NE(at, std::string::npos) << "the kernel no longer holds: " << from;
  plan.source.replace(at, from.size(), to);
}

// Faults are such that nothing is written outside of the buffers' guard bands.
const GroupFault kGroupFaults[] = {
    {"h_of_another_slice", false, true, Fill::exact,
     [](LaunchPlan& plan) {
       for (const char* h : {"which * call.rank_padded", "which * apart"}) {
         if (plan.source.find(h) != std::string::npos) return replace(plan, h, "0");
       }
       take_from(plan, Role::off_a, 1, 0);
     }},
    {"offset_of_b_of_another_slice", false, true, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::off_b, 2, 1); }},
    {"offset_of_y_of_another_slice", false, false, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::off_y, 1, 0); }},
    {"scale_of_another_slice", false, true, Fill::real,
     [](LaunchPlan& plan) { take_from(plan, Role::scale, 1, 2); }},
    {"columns_of_another_slice", false, true, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::n, 0, 1); }},
    {"buffer_of_another_slice", false, true, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::y, 2, 0); }},
    {"pitch_of_another_slice", false, true, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::ld_y, 0, 1); }},
    {"factors_of_another_slice", true, true, Fill::exact,
     [](LaunchPlan& plan) { take_from(plan, Role::off_g, 1, 0); }},
    {"factors_forgotten", true, false, Fill::real,
     [](LaunchPlan& plan) { replace(plan, "((gain) * ((old) + (value)))", "((old) + (value))"); }},
    {"factors_of_the_result_alone", true, false, Fill::exact,
     [](LaunchPlan& plan) {
       replace(plan, "((gain) * ((old) + (value)))", "((old) + (gain) * (value))");
     }},
    {"first_block_of_a_slice_is_the_one_befores", false, false, Fill::exact,
     [](LaunchPlan& plan) { replace(plan, "*block >= modules[i]", "*block > modules[i]"); }},
};

CheckResult check_plan(const Case& shape, const LaunchPlan& plan) {
  Engine& engine = test_engine();
  Built built = engine.build(shape.problem, plan);
  if (!built.executable) return {built.outcome, 0, built.detail};
  Checker checker(engine, shape);
  return checker.check(*built.executable);
}

class GroupFaults : public testing::TestWithParam<std::tuple<const Variant*, const GroupFault*>> {};

TEST_P(GroupFaults, AreCaughtAndTheSoundPlanIsNot) {
  const auto& [variant, fault] = GetParam();
  Case shape;
  Kind kind;
  kind.slices = {{61, 33, 61}, 3};
  kind.dora = fault->dora;
  shape.problem = make_problem(kind, 7, 203, 155, 9);
  shape.fill = fault->fill;
  shape.apart = fault->apart;
  shape.off_y = 1;
  shape.pad_y = 2;
  const DeviceInfo& device = test_engine().info();
  const Config config = variant->default_config(shape.problem, device);
  LaunchPlan plan = variant->plan(shape.problem, config, device);
  const CheckResult sound = check_plan(shape, plan);
  EXPECT_EQ(to_string(sound.outcome), "correct") << sound.detail;
  fault->plant(plan);
  const CheckResult broken = check_plan(shape, plan);
  EXPECT_EQ(to_string(broken.outcome), "correctness") << broken.detail;
}

// Parts are launches of plain products.
std::vector<const Variant*> variants_of_one_launch() {
  Kind kind;
  kind.slices = {{61, 33, 61}, 3};
  const Problem problem = make_problem(kind, 7, 203, 155, 9);
  const DeviceInfo& device = test_engine().info();
  std::vector<const Variant*> all = group_variants();
  std::erase_if(all, [&](const Variant* variant) {
    const Config config = variant->default_config(problem, device);
    return !variant->plan(problem, config, device).parts.empty();
  });
  return all;
}

std::vector<const GroupFault*> group_faults() {
  std::vector<const GroupFault*> all;
  for (const GroupFault& fault : kGroupFaults) all.push_back(&fault);
  return all;
}

std::string fault_name(
    const testing::TestParamInfo<std::tuple<const Variant*, const GroupFault*>>& info) {
  const auto& [variant, fault] = info.param;
  return std::string(variant->name) + "_" + fault->name;
}

INSTANTIATE_TEST_SUITE_P(Planted, GroupFaults,
                         testing::Combine(testing::ValuesIn(variants_of_one_launch()),
                                          testing::ValuesIn(group_faults())),
                         fault_name);

}  // namespace
}  // namespace loratune
