// Groups, pools and routes through the C interface, beside plain sums in double.
#include <array>
#include <numeric>
#include <span>

#include "c_engine.h"

namespace loratune {
namespace {

loratune_problem shape() {
  auto problem = zeroed<loratune_problem>();
  problem.k = kK;
  problem.n = kN;
  problem.rank = kRank;
  return problem;
}

std::int32_t set(const PoolHandle& pool, const CallRows& rows, int slot,
                 const loratune_module_source& module) {
  const loratune_module_source* const modules[] = {&module};
  return loratune_pool_set(pool.get(), rows.queue.get(), slot, modules, 1, nullptr);
}

// Rows of three adapters of mixed ranks, and rows that stay as they are.
TEST(CPool, RowsTakeTheAdapterOfTheirSlot) {
  const EngineHandle made = engine();
  const loratune_problem problem = shape();
  loratune_pool* raw_pool = nullptr;
  ASSERT_EQ(loratune_pool_create(made.get(), &problem, 4, &raw_pool, nullptr), LORATUNE_SUCCESS);
  const PoolHandle pool(raw_pool, loratune_pool_destroy);
  loratune_route* raw_route = nullptr;
  ASSERT_EQ(loratune_route_create(made.get(), 16, 4, &raw_route, nullptr), LORATUNE_SUCCESS);
  const RouteHandle route(raw_route, loratune_route_destroy);
  const Adapter adapters[] = {Adapter(8, 1), Adapter(3, 11), Adapter(5, 21)};
  const float scales[] = {1.0F, -2.0F, 0.25F};
  CallRows rows(9);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(set(pool, rows, i, module_of(adapters[i], scales[i])), LORATUNE_SUCCESS);
  }
  const std::vector<std::int32_t> slots = {2, 0, -1, 1, 1, 3, 0, 2, -1};  // 3 is empty
  Text detail;
  ASSERT_EQ(loratune_route_assign(route.get(), rows.queue.get(), slots.data(), slots.size(),
                                  detail.out()),
            LORATUNE_SUCCESS)
      << detail.str();
  const OpHandle forward = op(made);
  rows.call.pool = pool.get();
  rows.call.route = route.get();
  cl_event done = nullptr;
  rows.call.done = &done;
  rows.call.detail = detail.out();
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
  ASSERT_NE(done, nullptr);
  clReleaseEvent(done);
  const std::vector<float> got = rows.result();
  for (std::size_t row = 0; row < slots.size(); ++row) {
    const auto k = static_cast<std::size_t>(kK);
    const auto n = static_cast<std::size_t>(kN);
    const std::vector<float> x(rows.x.begin() + static_cast<std::ptrdiff_t>(row * k),
                               rows.x.begin() + static_cast<std::ptrdiff_t>((row + 1) * k));
    std::vector<double> y(rows.y.begin() + static_cast<std::ptrdiff_t>(row * n),
                          rows.y.begin() + static_cast<std::ptrdiff_t>((row + 1) * n));
    const bool stays = slots[row] < 0 || slots[row] > 2;
    if (!stays) {
      const auto slot = static_cast<std::size_t>(slots[row]);
      add(adapters[slot], 0.5 * static_cast<double>(scales[slot]), x, y);
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double value = static_cast<double>(got[row * n + j]);
      if (stays) {
        ASSERT_EQ(got[row * n + j], rows.y[row * n + j]) << row;
      } else {
        ASSERT_NEAR(value, y[j], 1e-4 * (1 + std::abs(y[j]))) << row;
      }
    }
  }
}

TEST(CPool, RefusesWhatIsNone) {
  const EngineHandle made = engine();
  const loratune_problem problem = shape();
  loratune_pool* none = nullptr;
  Text detail;
  EXPECT_EQ(loratune_pool_create(made.get(), &problem, 0, &none, detail.out()),
            LORATUNE_INVALID_VALUE);
  EXPECT_EQ(loratune_pool_create(made.get(), &problem, -5, &none, detail.out()),
            LORATUNE_INVALID_VALUE);
  loratune_pool* raw_pool = nullptr;
  ASSERT_EQ(loratune_pool_create(made.get(), &problem, 2, &raw_pool, nullptr), LORATUNE_SUCCESS);
  const PoolHandle pool(raw_pool, loratune_pool_destroy);
  loratune_route* raw_route = nullptr;
  ASSERT_EQ(loratune_route_create(made.get(), 4, 2, &raw_route, nullptr), LORATUNE_SUCCESS);
  const RouteHandle route(raw_route, loratune_route_destroy);
  const Adapter adapter;
  CallRows rows(4);
  EXPECT_EQ(set(pool, rows, 2, module_of(adapter, 1)), LORATUNE_INVALID_VALUE);
  EXPECT_EQ(set(pool, rows, -1, module_of(adapter, 1)), LORATUNE_INVALID_VALUE);
  loratune_module_source bad = module_of(adapter, 1);
  bad.a_bytes -= 4;
  EXPECT_EQ(set(pool, rows, 0, bad), LORATUNE_INVALID_OPERANDS);
  bad = module_of(adapter, 1);
  bad.rank = 9;
  EXPECT_EQ(set(pool, rows, 0, bad), LORATUNE_INVALID_VALUE);
  bad = module_of(adapter, std::nanf(""));
  EXPECT_EQ(set(pool, rows, 0, bad), LORATUNE_INVALID_VALUE);
  const float gain = 1;
  bad = module_of(adapter, 1);
  bad.g = &gain;
  bad.g_count = 1;
  EXPECT_EQ(set(pool, rows, 0, bad), LORATUNE_INVALID_OPERANDS);
  EXPECT_EQ(loratune_pool_clear(pool.get(), rows.queue.get(), 7, nullptr), LORATUNE_INVALID_VALUE);
  const std::int32_t beyond[] = {0, 2};
  EXPECT_EQ(loratune_route_assign(route.get(), rows.queue.get(), beyond, 2, nullptr),
            LORATUNE_INVALID_VALUE);
  const std::int32_t below[] = {-2};
  EXPECT_EQ(loratune_route_assign(route.get(), rows.queue.get(), below, 1, nullptr),
            LORATUNE_INVALID_VALUE);
  EXPECT_EQ(loratune_route_assign(route.get(), rows.queue.get(), below, 100000, nullptr),
            LORATUNE_INVALID_VALUE);
  const OpHandle forward = op(made);
  rows.call.pool = pool.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_NULL_POINTER);
  loratune_pool_destroy(nullptr);
  loratune_route_destroy(nullptr);
}

// A group's modules on the device, and its product.
struct GroupOf {
  WeightsHandle weights{nullptr, loratune_weights_destroy};
  OpHandle op{nullptr, loratune_op_destroy};

  GroupOf(const EngineHandle& engine, const loratune_problem& problem,
          std::span<const loratune_module_source* const> modules) {
    Text detail;
    loratune_weights* on_device = nullptr;
    EXPECT_EQ(loratune_weights_of_modules(engine.get(), &problem, modules.data(), modules.size(),
                                          &on_device, detail.out()),
              LORATUNE_SUCCESS)
        << detail.str();
    weights.reset(on_device);
    loratune_op* forward = nullptr;
    EXPECT_EQ(loratune_op_create(engine.get(), &problem, &forward, detail.out()), LORATUNE_SUCCESS)
        << detail.str();
    op.reset(forward);
  }
};

// Three modules that share x, with ranks and scales of their own, into one y and into one each.
TEST(CGroup, IsItsModulesSideBySide) {
  const EngineHandle made = engine();
  auto problem = shape();
  const std::int32_t columns[] = {40, 24, 16};
  problem.slice_count = 3;
  std::copy(std::begin(columns), std::end(columns), std::begin(problem.slice_n));
  std::vector<std::vector<float>> a, b;
  const int ranks[] = {8, 2, 5};
  std::vector<loratune_module_source> sources;
  for (int i = 0; i < 3; ++i) {
    const std::size_t size_of_b =
        static_cast<std::size_t>(columns[i]) * static_cast<std::size_t>(ranks[i]);
    a.push_back(numbers(static_cast<std::size_t>(ranks[i] * kK), 100U + static_cast<unsigned>(i)));
    b.push_back(numbers(size_of_b, 200U + static_cast<unsigned>(i)));
    auto source = zeroed<loratune_module_source>();
    source.rank = ranks[i];
    source.a = a.back().data();
    source.a_bytes = 4 * a.back().size();
    source.b = b.back().data();
    source.b_bytes = 4 * b.back().size();
    source.scale = static_cast<float>(i + 1);
    sources.push_back(source);
  }
  const loratune_module_source* const modules[] = {&sources[0], &sources[1], &sources[2]};
  const GroupOf group(made, problem, modules);
  loratune_op* const raw_op = group.op.get();
  Text detail;
  CallRows rows(4);
  rows.call.weights = group.weights.get();
  rows.call.detail = detail.out();
  ASSERT_EQ(loratune_forward(raw_op, &rows.call), LORATUNE_SUCCESS) << detail.str();
  std::size_t first = 0;
  for (std::size_t s = 0; s < 3; ++s) {
    const auto k = static_cast<std::size_t>(kK);
    const auto rank = static_cast<std::size_t>(ranks[s]);
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t j = 0; j < static_cast<std::size_t>(columns[s]); ++j) {
        for (std::size_t r = 0; r < rank; ++r) {
          double h = 0;
          for (std::size_t l = 0; l < k; ++l) {
            h += static_cast<double>(rows.x[row * k + l]) * static_cast<double>(a[s][r * k + l]);
          }
          rows.wanted[row * static_cast<std::size_t>(kN) + first + j] +=
              0.5 * static_cast<double>(s + 1) * h * static_cast<double>(b[s][j * rank + r]);
        }
      }
    }
    first += static_cast<std::size_t>(columns[s]);
  }
  expect_near(rows.result(), rows.wanted);
  loratune_weights* raw = nullptr;
  EXPECT_EQ(loratune_weights_of_modules(made.get(), &problem, modules, 2, &raw, detail.out()),
            LORATUNE_INVALID_VALUE);
}

// The buffers of two slices of 40 columns, of which one is NULL and the other too small.
TEST(CGroup, HasABufferForEachSliceOrForNone) {
  const EngineHandle made = engine();
  auto problem = shape();
  problem.slice_count = 2;
  problem.slice_n[0] = problem.slice_n[1] = 40;
  const std::vector<float> a = numbers(kRank * kK, 1), b = numbers(40 * kRank, 2);
  auto module = zeroed<loratune_module_source>();
  module.rank = kRank;
  module.a = a.data();
  module.a_bytes = 4 * a.size();
  module.b = b.data();
  module.b_bytes = 4 * b.size();
  module.scale = 1;
  const loratune_module_source* const modules[] = {&module, &module};
  const GroupOf group(made, problem, modules);
  loratune_op* const raw_op = group.op.get();
  Text detail;
  CallRows rows(16);
  rows.call.weights = group.weights.get();
  rows.call.detail = detail.out();
  const Handle<cl_mem> tiny = buffer_of({0});
  const std::int64_t far[] = {0, std::int64_t{1} << 40};
  rows.call.slice_off_y = far;
  for (const auto& ys : {std::array<cl_mem, 2>{nullptr, tiny.get()}, {tiny.get(), nullptr}}) {
    rows.call.slice_y = ys.data();
    EXPECT_EQ(loratune_forward(raw_op, &rows.call), LORATUNE_INVALID_OPERANDS);
    EXPECT_NE(detail.str().find("slice 1: y has "), std::string::npos) << detail.str();
  }
  EXPECT_EQ(rows.result(), rows.y);
}

}  // namespace
}  // namespace loratune
