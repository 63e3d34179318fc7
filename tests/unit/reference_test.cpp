// Every variant's CPU reference, under several configs, against the float64 oracle.
#include "variants/internal/reference.h"

#include <gtest/gtest.h>

#include <string>

#include "harness/check/checker.h"
#include "made_up_devices.h"
#include "tuner/candidates.h"
#include "variant_lists.h"

namespace loratune {
namespace {

class Reference : public testing::TestWithParam<const Variant*> {};

constexpr int kConfigs = 12;

std::vector<Case> cases_of(Fill fill) {
  const std::tuple<int, int, int, int> shapes[] = {
      {1, 1, 1, 1}, {3, 37, 19, 5}, {2, 563, 67, 25}, {17, 64, 33, 64}, {2, 130, 21, 256}};
  std::vector<Case> cases;
  for (const auto& [m, k, n, rank] : shapes) {
    for (const Types types : {Types(Dtype::f32), Types(Dtype::f16), Types(Dtype::bf16),
                              Types(Dtype::f32, Dtype::f16), Types(Dtype::bf16, Dtype::f32)}) {
      for (const bool accumulate : {false, true}) {
        Case made;
        made.problem.m = m;
        made.problem.k = k;
        made.problem.n = n;
        made.problem.rank = rank;
        set_types(made.problem, types);
        made.problem.accumulate = accumulate;
        made.fill = fill;
        cases.push_back(made);
        if (n != 67) continue;
        made.problem.slices = {{37, 17, 13}, 3};
        made.problem.dora = accumulate;
        cases.push_back(made);
      }
    }
  }
  return cases;
}

// Calls check(config, device, case, data, oracle) for the variant's configs of each case.
template <class Check>
void for_configs(const Variant& variant, Fill fill, Check check) {
  int supported = 0;
  for (const DeviceInfo& device : {made_up::nvidia(), made_up::cpu()}) {
    for (const Case& one : cases_of(fill)) {
      if (!variant.supports(one.problem, device)) continue;
      ++supported;
      const CaseData data = make_data(one);
      const Oracle oracle = run_oracle(one.problem, data);
      const auto configs = sample_configs(variant, {&one.problem, 1}, device, kConfigs, 5);
      ASSERT_GE(configs.size(), 3U);
      for (const Config& config : configs) {
        SCOPED_TRACE(to_string(one.problem) + " " + to_string(variant.space, config));
        check(config, device, one, data, oracle);
      }
    }
  }
  EXPECT_GE(supported, 10);
}

TEST_P(Reference, EqualsTheOracleOnTheExactFill) {
  for_configs(*GetParam(), Fill::exact,
              [](const auto&... of) { EXPECT_EQ(reference_error(*GetParam(), of...), 0); });
}

TEST_P(Reference, StaysWithinTheBoundOnRealData) {
  double worst = 0;
  for_configs(*GetParam(), Fill::real, [&](const auto&... of) {
    const double error = reference_error(*GetParam(), of...);
    EXPECT_LE(error, 1);
    worst = std::max(worst, error);
  });
  EXPECT_GT(worst, 1e-3) << "real data that never rounds is none";
}

TEST_P(Reference, KeepsNanInItsRow) {
  for_configs(*GetParam(), Fill::nan_row,
              [](const auto&... of) { EXPECT_LE(reference_error(*GetParam(), of...), 1); });
}

TEST_P(Reference, IsCaughtWithAWrongScale) {
  for_configs(*GetParam(), Fill::real,
              [](const Config& config, const DeviceInfo& device, const Case& one, CaseData data,
                 const Oracle& oracle) {
                data.scale *= one.problem.dtype == Dtype::bf16 ? 1.5F : 1.05F;  // of few bits
                EXPECT_GT(reference_error(*GetParam(), config, device, one, data, oracle), 1);
              });
}

INSTANTIATE_TEST_SUITE_P(Variants, Reference, testing::ValuesIn(plain_variants()),
                         [](const auto& variant) { return std::string(variant.param->name); });

TEST(References, AreThereForEveryVariantAndNoOther) {
  for (const Variant* variant : variants()) EXPECT_NE(find_reference(variant->name), nullptr);
  EXPECT_EQ(find_reference("no_such_variant"), nullptr);
}

}  // namespace
}  // namespace loratune
