// What Mode::batch_invariant rests on: with one config, the bits of a row of y depend neither on
// how many rows come with it nor on where it stands among them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/check/case.h"
#include "loratune/variants/variant.h"
#include "test_engine.h"
#include "tuner/candidates.h"

namespace loratune {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::int64_t kAllRows = 129;

Case all_rows(int rank, Dtype dtype) {
  Case all;
  all.problem.m = kAllRows;
  all.problem.k = 203;
  all.problem.n = 61;
  all.problem.rank = rank;
  all.problem.dtype = dtype;
  return all;
}

class RowBits : public testing::Test {
 protected:
  // Rows [first, first + m) of y, computed as a problem of m rows.
  Bytes rows(const Variant& variant, const Case& all, const CaseData& data, const Config& config,
             std::int64_t first, std::int64_t m) {
    Problem problem = all.problem;
    problem.m = m;
    const LaunchPlan plan = variant.plan(problem, config, test_engine().info());
    Built built = test_engine().build(problem, plan);
    EXPECT_EQ(to_string(built.outcome), "correct") << built.detail;
    if (!built.executable) return {};
    const auto stored = [&](const std::vector<float>& values) {
      return to_storage(problem.dtype, values);
    };
    Weights weights(test_engine().context(), problem, stored(data.a).data(), stored(data.b).data());
    const Handle<cl_mem> x = test_buffer(stored(data.x));
    const Handle<cl_mem> y = test_buffer(stored(data.y));
    Operands operands;
    operands.x = x.get();
    operands.y = y.get();
    operands.off_x = first * problem.k;
    operands.ld_x = problem.k;
    operands.off_y = first * problem.n;
    operands.ld_y = problem.n;
    weights.set(queue_.get(), plan, operands);
    operands.scale = data.scale;
    built.executable->enqueue(queue_.get(), operands);
    const auto row_bytes = static_cast<std::size_t>(problem.n * element_bytes(problem.dtype));
    Bytes result(static_cast<std::size_t>(m) * row_bytes);
    read_buffer(queue_.get(), y.get(), static_cast<std::size_t>(first) * row_bytes, result.size(),
                result.data());
    return result;
  }

  Handle<cl_command_queue> queue_ = test_queue();
};

class BatchInvariance : public RowBits, public testing::WithParamInterface<const Variant*> {};

TEST_P(BatchInvariance, OfARowsBits) {
  const Variant& variant = *GetParam();
  const DeviceInfo& device = test_engine().info();
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    for (const int rank : {4, 25}) {
      Case all = all_rows(rank, dtype);
      if (!variant.supports(all.problem, device)) all.problem.slices = {{31, 17, 13}, 3};
      const CaseData data = make_data(all);
      Problem one = all.problem;
      one.m = 1;
      if (!variant.supports(one, device)) {
        ASSERT_FALSE(variant.needs.empty());
        GTEST_SKIP() << "needs " << variant.needs;
      }
      const std::vector<Problem> both = {one, all.problem};
      for (const Config& config : sample_configs(variant, both, device, 4, 1)) {
        const auto runs = [&](const Problem& problem) {
          return can_run(variant, config, problem, device);
        };
        if (!runs(one) || !runs(all.problem)) continue;
        const Bytes expected = rows(variant, all, data, config, 0, kAllRows);
        const std::size_t row_bytes = expected.size() / kAllRows;
        for (const auto& [first, m] : {std::pair<std::int64_t, std::int64_t>{0, 1},
                                       {0, 31},
                                       {0, 32},
                                       {0, 33},
                                       {0, 64},
                                       {0, 127},
                                       {0, 128},
                                       {67, 1},
                                       {67, 16},
                                       {101, 28}}) {
          const Bytes got = rows(variant, all, data, config, first, m);
          const auto begin = expected.begin() + first * static_cast<std::ptrdiff_t>(row_bytes);
          EXPECT_TRUE(std::equal(got.begin(), got.end(), begin))
              << to_string(all.problem) << ", rows from " << first << ", " << m
              << " of them: " << to_string(variant.space, config);
        }
      }
    }
  }
}

// So the test above would see it.
TEST_F(RowBits, ShowAnotherOrderOfSummation) {
  const Case all = all_rows(4, Dtype::f32);
  const CaseData data = make_data(all);
  const Variant& split = *find_variant("split");
  const auto with_slices = [&](int slices) {
    const auto config = parse_config(
        split.space, "SLICES=" + std::to_string(slices) +
                         " A_TILE=4 SHRINK_ROWS=1 K_LANES=1 B_TILE=4 EXPAND_ROWS=1 EXPAND_WG=16");
    return rows(split, all, data, *config, 0, kAllRows);
  };
  EXPECT_EQ(with_slices(1), with_slices(1));
  EXPECT_NE(with_slices(1), with_slices(4));
}

INSTANTIATE_TEST_SUITE_P(Variants, BatchInvariance,
                         testing::ValuesIn(variants().begin(), variants().end()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace loratune
