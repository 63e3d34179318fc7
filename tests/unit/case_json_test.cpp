#include "harness/check/case_json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "made_up_devices.h"

namespace loratune {
namespace {

using nlohmann::json;

TEST(CaseJson, GivesBackEveryCaseOfTheMatrix) {
  const DeviceInfo device = made_up::cpu();
  int tried = 0;
  for (const Variant* variant : variants()) {
    for (const ShapeClass shape_class : kShapeClasses) {
      for (const MatrixCase& one : matrix_cases(*variant, device, shape_class, Dtype::f16, true)) {
        const MatrixCase again = matrix_case_from_json(json::parse(to_json(one).dump()));
        EXPECT_EQ(again.variant, one.variant);
        EXPECT_EQ(again.config, one.config);
        EXPECT_EQ(again.shape.seed, one.shape.seed);
        EXPECT_EQ(again.fills, one.fills);
        EXPECT_EQ(again.device, one.device);
        EXPECT_EQ(reproduce_line(again), reproduce_line(one));
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 100);
}

TEST(CaseJson, GivesBackTheWeightsOfAModule) {
  MatrixCase one =
      matrix_cases(*find_variant("naive"), made_up::cpu(), ShapeClass::values, Dtype::f32, true)
          .front();
  one.shape.weights = {"folder", "metal-candle", "layers.0.q_proj", 0.3, 8, true};
  const AdapterArguments again =
      matrix_case_from_json(json::parse(to_json(one).dump())).shape.weights;
  EXPECT_EQ(again.path, "folder");
  EXPECT_EQ(again.format, "metal-candle");
  EXPECT_EQ(again.module, "layers.0.q_proj");
  EXPECT_EQ(again.alpha, 0.3);
  EXPECT_EQ(again.rank, 8);
  EXPECT_TRUE(again.lenient);
}

TEST(CaseJson, WhatIsNoCaseIsRefused) {
  const DeviceInfo device = made_up::cpu();
  const MatrixCase one =
      matrix_cases(*find_variant("naive"), device, ShapeClass::values, Dtype::f32, true).front();
  const std::pair<const char*, json> wrongs[] = {{"variant", "none"}, {"config", "WG_M=3"},
                                                 {"problem", "m1"},   {"strides", {1, 2}},
                                                 {"fills", {9}},      {"device", json::object()}};
  for (const auto& [member, value] : wrongs) {
    json wrong = to_json(one);
    wrong[member] = value;
    EXPECT_ANY_THROW(matrix_case_from_json(wrong)) << member;
  }
}

TEST(CaseJson, GivesBackAResultAndAnErrorWithoutBound) {
  const CheckResult result{Outcome::correctness, 2.5, "y(0, 1) = 3"};
  const CheckResult again = check_result_from_json(json::parse(to_json(result).dump()));
  EXPECT_EQ(again.outcome, result.outcome);
  EXPECT_EQ(again.error_over_bound, result.error_over_bound);
  EXPECT_EQ(again.detail, result.detail);
  const CheckResult stray{Outcome::correctness, HUGE_VAL, ""};
  EXPECT_EQ(check_result_from_json(json::parse(to_json(stray).dump())).error_over_bound, HUGE_VAL);
  EXPECT_ANY_THROW(check_result_from_json({{"fatal", "why"}}));
}

}  // namespace
}  // namespace loratune
