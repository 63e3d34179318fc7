// The whole correctness matrix: a test for each variant x types x shape class.
#include "harness/check/matrix.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "test_engine.h"

namespace loratune {
namespace {

// Types of one test: a pair, or all that mix two.
const std::string kMixed = "mixed";
std::string type_group(const Types& types) {
  return types.data == types.weights ? to_string(types) : kMixed;
}

using Group = std::tuple<const Variant*, std::string, ShapeClass>;

class Matrix : public testing::TestWithParam<Group> {};

TEST_P(Matrix, EveryCaseIsCorrect) {
  const auto& [variant, group, shape_class] = GetParam();
  Engine& engine = test_engine();
  std::vector<MatrixCase> cases;
  bool stated = true;  // the axes of such types, and of the class
  for (const Types& types : matrix_types()) {
    if (type_group(types) != group) continue;
    Problem problem;
    set_types(problem, types);
    if (shape_class == ShapeClass::adapters) problem.adapters = 1;
    if (shape_class == ShapeClass::groups) problem.slices = {{1, 1}, 2};
    stated = stated && covers(variant->axes, problem);
    for (const bool accumulate : {false, true}) {
      const auto some = matrix_cases(*variant, engine.info(), shape_class, types, accumulate);
      cases.insert(cases.end(), some.begin(), some.end());
    }
  }
  if (cases.empty()) {
    // Only what needs hardware that is not here, or lacks an axis, may decline a whole class.
    ASSERT_TRUE(!variant->needs.empty() || !stated) << variant->name;
    GTEST_SKIP() << (stated ? "needs " + std::string(variant->needs)
                            : "states no axis for " + group);
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
  const auto& [variant, group, shape_class] = info.param;
  return std::string(variant->name) + "_" + group + "_" + std::string(to_string(shape_class));
}

INSTANTIATE_TEST_SUITE_P(Pocl, Matrix,
                         testing::Combine(testing::ValuesIn(variants().begin(), variants().end()),
                                          testing::Values("f32", "f16", "bf16", kMixed),
                                          testing::ValuesIn(kShapeClasses)),
                         group_name);

}  // namespace
}  // namespace loratune
