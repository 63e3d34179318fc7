// The whole correctness matrix: a test for each variant x dtype x accumulate x shape class.
#include "harness/check/matrix.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "test_engine.h"

namespace loratune {
namespace {

using Group = std::tuple<const Variant*, Dtype, bool, ShapeClass>;

class Matrix : public testing::TestWithParam<Group> {};

TEST_P(Matrix, EveryCaseIsCorrect) {
  const auto& [variant, dtype, accumulate, shape_class] = GetParam();
  Engine& engine = test_engine();
  const auto cases = matrix_cases(*variant, engine.info(), shape_class, dtype, accumulate);
  if (cases.empty()) {
    // Only what needs hardware that is not here may decline a whole class.
    ASSERT_FALSE(variant->needs.empty()) << variant->name;
    GTEST_SKIP() << "needs " << variant->needs;
  }
  int skipped = 0;
  std::string reason;
  for (const MatrixCase& matrix_case : cases) {
    const CheckResult result = run_case(engine, matrix_case);
    if (result.outcome == Outcome::skipped) {
      ++skipped;
      reason = result.detail;
      continue;
    }
    EXPECT_EQ(to_string(result.outcome), to_string(Outcome::correct))
        << result.detail << "\n  " << reproduce_line(matrix_case);
  }
  if (skipped == static_cast<int>(cases.size())) GTEST_SKIP() << reason;
}

std::string group_name(const testing::TestParamInfo<Group>& info) {
  const auto& [variant, dtype, accumulate, shape_class] = info.param;
  return std::string(variant->name) + "_" + std::string(to_string(dtype)) +
         (accumulate ? "_acc_" : "_set_") + std::string(to_string(shape_class));
}

INSTANTIATE_TEST_SUITE_P(Pocl, Matrix,
                         testing::Combine(testing::ValuesIn(variants().begin(), variants().end()),
                                          testing::Values(Dtype::f32, Dtype::f16), testing::Bool(),
                                          testing::ValuesIn(kShapeClasses)),
                         group_name);

}  // namespace
}  // namespace loratune
