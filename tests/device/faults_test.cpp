// Planted faults: a kernel is broken in one place, and the check must say that it is wrong. A fault
// is a change of the text of a kernel, or of a number that a plan passes, so that all the rest is
// the real thing.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "harness/check/checker.h"
#include "harness/check/matrix.h"
#include "test_engine.h"

namespace loratune {
namespace {

struct Fault {
  const char* name;
  const char* variant;
  const char* config;
  Types types;
  bool accumulate;
  Fill fill;  // that must tell
  const char* from;
  const char* to;
};

// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest calls
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

constexpr const char* kSplit =
    "SLICES=2 A_TILE=4 SHRINK_ROWS=2 K_LANES=16 B_TILE=4 EXPAND_ROWS=2 EXPAND_WG=16";
constexpr const char* kTiled =
    "WG_SIZE=16 TILE_M=2 TILE_K=64 K_LANES=4 A_TILE=4 B_TILE=4 BLOCK_N=64";
constexpr const char* kNaive = "WG_M=1 WG_N=16 UNROLL=1 A_TRANSPOSED=0";
// Rounds a float through half, with no extension.
#define THROUGH_HALF(lvalue)                                             \
  "{ ushort bits; vstore_half_rte(" lvalue ", 0, (half*)&bits); " lvalue \
  " = vload_half(0, (half*)&bits); }"

constexpr const char* kStore = "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum);";

const Fault kFaults[] = {
    {"k_tail_dropped", "split", kSplit, Dtype::f32, true, Fill::exact, "i < end;", "i < end - 1;"},
    {"k_tail_dropped_real", "split", kSplit, Dtype::f16, true, Fill::real, "i < end;",
     "i < end - 1;"},
    {"rank_tail_dropped", "split", kSplit, Dtype::f16, true, Fill::exact, "j < rank;",
     "j < rank - 1;"},
    {"column_tail_dropped", "split", kSplit, Dtype::f32, false, Fill::exact, "i < columns;",
     "i < columns - 1;"},
    {"row_tail_dropped", "split", kSplit, Dtype::f32, true, Fill::exact, kStore,
     "if (rows == EXPAND_ROWS) put_rows(y, module.ld_y, rows, columns, module.scale, g, sum);"},
    {"barrier_missing", "split", kSplit, Dtype::f32, true, Fill::exact,
     "  barrier(CLK_LOCAL_MEM_FENCE);\n\n  const long tile", "\n  const long tile"},
    {"barrier_missing_in_sum", "tiled", kTiled, Dtype::f32, true, Fill::exact,
     "barrier(CLK_LOCAL_MEM_FENCE);\n    for (int i = item; i < half_lanes",
     "for (int i = item; i < half_lanes"},
    {"stale_output", "split", kSplit, Dtype::f32, false, Fill::real,
     "if (column >= module.n) return;", "if (column >= module.n || row0 == 0) return;"},
    {"stale_output_accumulating", "split", kSplit, Dtype::f16, true, Fill::real,
     "if (column >= module.n) return;", "if (column >= module.n || row0 == 0) return;"},
    {"wrong_scale", "split", kSplit, Dtype::f32, true, Fill::real, kStore,
     "put_rows(y, module.ld_y, rows, columns, module.scale / rank, g, sum);"},
    {"scale_slightly_wrong", "split", kSplit, Dtype::f32, true, Fill::real, kStore,
     "put_rows(y, module.ld_y, rows, columns, module.scale * 1.0001f, g, sum);"},
    {"scale_forgotten", "split", kSplit, Dtype::f16, false, Fill::exact, kStore,
     "put_rows(y, module.ld_y, rows, columns, 1.0f, g, sum);"},
    {"f16_accumulation", "tiled",
     "WG_SIZE=16 TILE_M=1 TILE_K=64 K_LANES=1 A_TILE=1 B_TILE=1 BLOCK_N=64", Dtype::f16, true,
     Fill::real, "sum[r] += stage[r * TILE_K + i] * weights;",
     "{ sum[r] += stage[r * TILE_K + i] * weights; " THROUGH_HALF("sum[r]") " }"},
    {"f16_scratch", "split", kSplit, Dtype::f16, true, Fill::real, "    h_rows[i] = sum;",
     "    " THROUGH_HALF("sum") " h_rows[i] = sum;"},
    {"write_past_the_end", "split", kSplit, Dtype::f32, true, Fill::exact, kStore,
     "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum); if (row0 + rows == m) "
     "STORE(1.0f, y "
     "+ (rows - "
     "1) * module.ld_y + (module.n - column));"},
    {"write_before_the_start", "split", kSplit, Dtype::f16, true, Fill::exact, kStore,
     "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum); if (row0 == 0 && column == 0) "
     "STORE(1.0f, y - "
     "1);"},
    {"write_between_rows", "split", kSplit, Dtype::f32, false, Fill::exact, kStore,
     "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum); if (row0 == 0 && column == 0) "
     "STORE(1.0f, y + "
     "module.n);"},
    {"write_to_x", "split", kSplit, Dtype::f32, true, Fill::exact, "  const long rank_padded",
     "  STORE(1.5f, (global elem*)x + call.off_x);\n  const long rank_padded"},
    {"write_to_a", "split", kSplit, Dtype::f32, true, Fill::exact, "  const long rank_padded",
     "  STORE(1.5f, (global elem*)a);\n  const long rank_padded"},
    {"write_to_a_of_both", "tiled", kTiled, Dtype::f32, true, Fill::exact, "  const long tile0",
     "  STORE(1.5f, (global elem*)a + panels * A_TILE * k - 1);\n  const long tile0"},
    {"write_to_b", "tiled", kTiled, Dtype::f16, true, Fill::exact, "  const long tile0",
     "  STORE(1.5f, (global elem*)b);\n  const long tile0"},
    {"reads_beyond_the_row", "split", kSplit, Dtype::f32, true, Fill::real, "i < end;",
     "i <= end;"},
    {"first_row_used_for_all", "split", kSplit, Dtype::f32, true, Fill::exact,
     "min(row0 + r, (long)m - 1) * call.ld_x", "0"},
    {"pitch_ignored", "split", kSplit, Dtype::f32, true, Fill::exact, "* call.ld_x;", "* k;"},
    {"nan_leaks_to_other_rows", "split", kSplit, Dtype::f32, true, Fill::nan_row,
     "  const long rank_padded",
     "  sum[0] += 0.0f * LOAD(x + call.off_x + m / 2 * call.ld_x + k - 1);\n  const long "
     "rank_padded"},
    {"overflow_saturates", "split", kSplit, Dtype::f16, true, Fill::overflow, kStore,
     "for (int r = 0; r < rows; ++r) sum[r] = clamp(sum[r], -8000.0f, 8000.0f); "
     "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum);"},
    {"bf16_truncated", "split", kSplit, Dtype::bf16, true, Fill::real,
     "bits + 0x7fffu + (bits >> 16 & 1u)", "bits"},
    {"bf16_truncated_element_by_element", "naive", kNaive, Types(Dtype::bf16, Dtype::f32), false,
     Fill::real, "bits + 0x7fffu + (bits >> 16 & 1u)", "bits"},
    {"nan_of_all_ones_becomes_a_number", "split", kSplit, Types(Dtype::bf16, Dtype::f32), false,
     Fill::nan_row, "as_uint##width(value != value)", "(uint##width)(0)"},
    {"bf16_read_as_f16", "tiled", kTiled, Dtype::bf16, true, Fill::exact, "#define DATA bf16",
     "#define DATA f16"},
    {"weights_of_f16_read_as_bf16", "split", kSplit, Types(Dtype::f32, Dtype::f16), true,
     Fill::exact, "#define WEIGHT f16", "#define WEIGHT bf16"},
    {"weights_of_bf16_read_as_f16", "tiled", kTiled, Types(Dtype::f32, Dtype::bf16), true,
     Fill::exact, "#define WEIGHT bf16", "#define WEIGHT f16"},
    {"weights_read_as_x_is", "split", kSplit, Types(Dtype::f32, Dtype::f16), false, Fill::real,
     "#ifndef WEIGHT_TYPE", "#undef WEIGHT_TYPE\n#ifndef WEIGHT_TYPE"},
    {"f32_weights_read_as_x_is", "naive", kNaive, Types(Dtype::f16, Dtype::f32), true, Fill::exact,
     "#ifndef WEIGHT_TYPE", "#undef WEIGHT_TYPE\n#ifndef WEIGHT_TYPE"},
};

class Faults : public testing::TestWithParam<Fault> {};

Case faulty_case(const Fault& fault) {
  Case shape;
  shape.problem.m = 7;
  shape.problem.k = 203;
  shape.problem.n = 61;
  shape.problem.rank = 9;
  set_types(shape.problem, fault.types);
  shape.problem.accumulate = fault.accumulate;
  shape.fill = fault.fill;
  shape.off_x = 3;
  shape.pad_x = 5;
  shape.off_y = 1;
  shape.pad_y = 2;
  return shape;
}

CheckResult check_plan(const Case& shape, const LaunchPlan& plan) {
  Engine& engine = test_engine();
  Built built = engine.build(shape.problem, plan);
  if (!built.executable) return {built.outcome, 0, built.detail};
  Checker checker(engine, shape);
  return checker.check(*built.executable);
}

TEST_P(Faults, IsCaughtAndTheSoundKernelIsNot) {
  const Fault& fault = GetParam();
  const Case shape = faulty_case(fault);
  const Variant& variant = *find_variant(fault.variant);
  const auto config = parse_config(variant.space, fault.config);
  ASSERT_TRUE(config);
  LaunchPlan plan = variant.plan(shape.problem, *config, test_engine().info());
  const CheckResult sound = check_plan(shape, plan);
  EXPECT_EQ(to_string(sound.outcome), "correct") << sound.detail;

  const std::size_t at = plan.source.find(fault.from);
  ASSERT_NE(at, std::string::npos) << "the kernel no longer holds: " << fault.from;
  plan.source.replace(at, std::string(fault.from).size(), fault.to);
  const CheckResult broken = check_plan(shape, plan);
  EXPECT_EQ(to_string(broken.outcome), "correctness") << broken.detail;
  EXPECT_FALSE(broken.detail.empty());
}

INSTANTIATE_TEST_SUITE_P(Planted, Faults, testing::ValuesIn(kFaults),
                         [](const auto& fault) { return std::string(fault.param.name); });

class BfloatStores : public testing::TestWithParam<const Variant*> {};

// Floats of all kinds, as they come out of a store of bf16: the products of 1, 1 and B, which is
// f32 and so passes any bits. The reference is the host's own rounding.
TEST_P(BfloatStores, RoundToTheNearestEvenAndKeepNan) {
  const Variant& variant = *GetParam();
  Engine& engine = test_engine();
  std::vector<std::uint32_t> bits = {0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff,
                                     0xbf808000, 0xbf818000, 0x7f7f0000, 0x7f7f7fff, 0x7f7f8000,
                                     0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fffffff,
                                     0xffffffff, 0x7f800001, 0x7fc00000, 0x7f808000, 0x00800000};
  std::mt19937 random(5);
  while (bits.size() < 1000) {
    const std::uint32_t any = static_cast<std::uint32_t>(random());
    if ((any >> 23U & 0xffU) != 0) bits.push_back(any);  // subnormal floats may be flushed
  }
  Problem problem;
  set_types(problem, {Dtype::bf16, Dtype::f32});
  problem.accumulate = false;
  problem.m = problem.k = problem.rank = 1;
  problem.n = static_cast<std::int64_t>(bits.size());
  if (!variant.supports(problem, engine.info())) GTEST_SKIP() << "has no such types here";
  const float one = 1;
  Weights weights(engine.context(), problem, &one, bits.data());
  const std::uint16_t x = to_bfloat(1);
  const auto x_buffer = make_buffer(engine.context(), sizeof x, &x);
  std::vector<std::uint16_t> y(bits.size());
  const auto y_buffer = make_buffer(engine.context(), 2 * y.size(), y.data());
  const auto queue = make_queue(engine.context(), engine.device());
  const LaunchPlan plan =
      variant.plan(problem, variant.default_config(problem, engine.info()), engine.info());
  const Built built = engine.build(problem, plan);
  ASSERT_EQ(to_string(built.outcome), "correct") << built.detail;
  Operands operands;
  operands.x = x_buffer.get();
  operands.y = y_buffer.get();
  weights.set(queue.get(), plan, operands);
  built.executable->enqueue(queue.get(), operands);
  read_buffer(queue.get(), operands.y, 0, 2 * y.size(), y.data());
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const auto value = std::bit_cast<float>(bits[i]);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(from_bfloat(y[i]))) << std::hex << bits[i] << " " << y[i];
    } else {
      EXPECT_EQ(y[i], to_bfloat(value)) << std::hex << bits[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, BfloatStores,
                         testing::ValuesIn(variants().begin(), variants().end()),
                         [](const auto& one) { return std::string(one.param->name); });

// A tail fault one past a tile: the plan of a problem whose extent is that says one less to the
// kernel. The matrix's edges must catch it for each tile that each variant states.
struct TailFault {
  const Variant* variant;
  Role role;
  std::int64_t extent;  // at which the tail is dropped
};
TailFault planted;

std::int64_t extent_of(const Problem& problem, Role role) {
  return role == Role::m ? problem.m : role == Role::k ? problem.k : problem.n;
}

LaunchPlan plan_without_tail(const Problem& problem, const Config& config,
                             const DeviceInfo& device) {
  LaunchPlan plan = planted.variant->plan(problem, config, device);
  if (extent_of(problem, planted.role) != planted.extent) return plan;
  for (Launch& launch : plan.launches) {
    for (Arg& arg : launch.args) {
      if (arg.role == planted.role) arg = {Role::i32, planted.extent - 1};
    }
  }
  return plan;
}

class TailFaults : public testing::TestWithParam<const Variant*> {};

TEST_P(TailFaults, OnePastEachTileAreCaughtByTheMatrix) {
  Engine& engine = test_engine();
  Variant faulty = *GetParam();
  faulty.plan = plan_without_tail;
  planted = {GetParam(), Role::m, 0};  // to choose configs asks for plans too
  int tiles_tried = 0;
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    const bool accumulate = dtype == Dtype::f16;
    const std::vector<MatrixCase> cases =
        matrix_cases(faulty, engine.info(), ShapeClass::edges, dtype, accumulate);
    if (cases.empty()) {
      ASSERT_FALSE(faulty.needs.empty());
      GTEST_SKIP() << "needs " << faulty.needs;
    }
    std::set<std::pair<Role, std::int64_t>> edges;
    for (const MatrixCase& one : cases) {
      const Tiles tiles = faulty.tiles(one.shape.problem, one.config);
      const auto add = [&](Role role, const std::vector<std::int64_t>& of_axis) {
        for (const std::int64_t tile : of_axis) {
          if (tile >= 2 && tile <= kWidestEdge) edges.insert({role, tile});
        }
      };
      add(Role::m, tiles.m);
      add(Role::k, tiles.k);
      add(Role::n, tiles.n);
    }
    for (const auto& [role, tile] : edges) {
      planted = {GetParam(), role, tile + 1};
      const bool caught = std::any_of(cases.begin(), cases.end(), [&](const MatrixCase& one) {
        return extent_of(one.shape.problem, planted.role) == planted.extent &&
               run_case(engine, one).outcome == Outcome::correctness;
      });
      EXPECT_TRUE(caught) << "axis " << static_cast<int>(role) << ", tile " << tile << ", "
                          << to_string(dtype);
      ++tiles_tried;
    }
  }
  EXPECT_GE(tiles_tried, 4);
}

INSTANTIATE_TEST_SUITE_P(Variants, TailFaults,
                         testing::ValuesIn(variants().begin(), variants().end()),
                         [](const auto& one) { return std::string(one.param->name); });

// Kernels whose first run is right: only the second tells.
constexpr const char* kCounting = R"CL(
kernel void counting(global const float* x, long off_x, long ld_x, global const float* a,
                     global const float* b, global float* y, long off_y, long ld_y, float scale,
                     int k, global int* runs) {
  const int i = get_group_id(0);
  float h = 0.0f;
  for (int j = 0; j < k; ++j) h += x[off_x + j] * a[j];
  const float extra = runs[0] == 0 ? 0.0f : EXTRA;
  y[off_y + i] += scale * h * b[i] + extra;
  if (i == 0) runs[0] = RESET ? 0 : 1;
}
)CL";

LaunchPlan counting_plan(const std::string& extra, bool reset, bool deterministic) {
  LaunchPlan plan;
  plan.source = "#define EXTRA " + extra + "\n" + kCounting;
  plan.defines = {{"RESET", reset ? 1 : 0}};
  plan.scratch = {{4, Zero::once}};
  plan.deterministic = deterministic;
  Launch launch;
  launch.kernel = "counting";
  launch.args = {{Role::x},     {Role::off_x}, {Role::ld_x},      {Role::a},
                 {Role::b},     {Role::y},     {Role::off_y},     {Role::ld_y},
                 {Role::scale}, {Role::k},     {Role::scratch, 0}};
  plan.launches = {launch};
  return plan;
}

TEST(SecondRun, TellsACounterThatIsNotReset) {
  Case shape;
  shape.problem.m = shape.problem.n = shape.problem.rank = 1;
  shape.problem.k = 32;
  EXPECT_EQ(check_plan(shape, counting_plan("1.0f", true, true)).outcome, Outcome::correct);
  const CheckResult broken = check_plan(shape, counting_plan("1.0f", false, true));
  EXPECT_EQ(broken.outcome, Outcome::correctness);
  EXPECT_NE(broken.detail.find("second run"), std::string::npos) << broken.detail;
}

TEST(SecondRun, TellsOtherBitsWhereThePlanSaysDeterministic) {
  Case shape;
  shape.problem.m = shape.problem.n = shape.problem.rank = 1;
  shape.problem.k = 32;
  const std::string within_bound = "4e-7f";
  EXPECT_EQ(check_plan(shape, counting_plan(within_bound, false, false)).outcome, Outcome::correct);
  const CheckResult broken = check_plan(shape, counting_plan(within_bound, false, true));
  EXPECT_EQ(broken.outcome, Outcome::correctness);
  EXPECT_NE(broken.detail.find("two runs differ"), std::string::npos) << broken.detail;
}

}  // namespace
}  // namespace loratune
