// What tests of pools share: adapters of whole numbers, in whose products every order of summation
// gives the same bits, their product in double, and plans of all variants that know adapters.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "loratune/engine/pool.h"
#include "loratune/engine/route.h"
#include "loratune/variants/slices.h"
#include "test_engine.h"
#include "tuner/candidates.h"

namespace loratune {

class Pools : public testing::Test {
 protected:
  using Values = std::vector<float>;
  using Slots = std::vector<std::int32_t>;

  static constexpr std::int64_t kK = 67;
  static constexpr int kLargest = 12;
  static constexpr float kScale = 0.5F;

  // The factors of one module of an adapter.
  struct Module {
    int rank;
    float scale;
    Values a, b, g = {};  // g with DoRA
  };
  using Adapter = std::vector<Module>;

  // Whole numbers from -2 to 2: every order of summation gives the same bits.
  Values numbers(std::int64_t count) {
    Values values(static_cast<std::size_t>(count));
    for (float& value : values) value = static_cast<float>(static_cast<int>(random_() % 5) - 2);
    return values;
  }

  static Problem problem(std::int64_t m, const std::vector<std::int32_t>& columns = {45}) {
    Problem problem;
    problem.m = m;
    problem.k = kK;
    problem.rank = kLargest;
    problem.adapters = 3;
    for (const std::int32_t n : columns) {
      problem.n += n;
      if (columns.size() == 1) continue;
      problem.slices.columns[static_cast<unsigned>(problem.slices.count++)] = n;
    }
    return problem;
  }

  Adapter adapter(const Problem& shape, std::vector<int> ranks, float scale) {
    Adapter made;
    for (int i = 0; i < slice_count(shape); ++i) {
      const int rank = ranks[static_cast<std::size_t>(i) % ranks.size()];
      made.push_back({rank, scale * static_cast<float>(i + 1), numbers(rank * shape.k),
                      numbers(slice_columns(shape, i) * rank)});
      if (shape.dora) made.back().g = numbers(slice_columns(shape, i));
    }
    return made;
  }

  void set(Pool& pool, int slot, const Adapter& adapter) {
    std::vector<Factors> factors;
    for (const Module& module : adapter) {
      const bool none = module.rank == 0;
      factors.push_back({none ? nullptr : module.a.data(), none ? nullptr : module.b.data(),
                         module.rank, module.scale, module.g.empty() ? nullptr : module.g.data()});
    }
    pool.set(queue_.get(), slot, factors);
  }

  // y of rows whose slots have these adapters, null for none. It begins as the index of each
  // element among seven, negative zero for each seventh: what is written there, even an added zero,
  // shows.
  static float first_y(std::size_t i) { return i % 7 == 0 ? -0.0F : static_cast<float>(i % 7); }
  static Values expected(const Problem& problem, const Values& x, const Slots& slots,
                         const std::vector<const Adapter*>& adapters) {
    Values y = first_ys(problem);
    for (std::int64_t row = 0; row < problem.m; ++row) {
      const std::int32_t slot = slots[static_cast<std::size_t>(row)];
      if (slot < 0 || adapters[static_cast<std::size_t>(slot)] == nullptr) continue;
      std::int64_t column = 0;
      for (int s = 0; s < slice_count(problem); ++s) {
        const Module& module =
            (*adapters[static_cast<std::size_t>(slot)])[static_cast<std::size_t>(s)];
        for (std::int64_t c = 0; c < slice_columns(problem, s); ++c, ++column) {
          if (module.rank == 0 && !problem.dora) continue;
          double sum = 0;
          for (int j = 0; j < module.rank; ++j) {
            double h = 0;
            for (std::int64_t i = 0; i < kK; ++i) {
              h += static_cast<double>(x[static_cast<std::size_t>(row * kK + i)]) *
                   static_cast<double>(module.a[static_cast<std::size_t>(j * kK + i)]);
            }
            sum += h * static_cast<double>(module.b[static_cast<std::size_t>(c * module.rank + j)]);
          }
          float& out = y[static_cast<std::size_t>(row * problem.n + column)];
          out = static_cast<float>(static_cast<double>(out) +
                                   static_cast<double>(kScale * module.scale) * sum);
          if (problem.dora) out *= module.g[static_cast<std::size_t>(c)];
        }
      }
    }
    return y;
  }

  static Values first_ys(const Problem& problem) {
    Values y(static_cast<std::size_t>(problem.m * problem.n));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = first_y(i);
    return y;
  }

  // y of a plan that is built and run.
  Values run(const Problem& problem, const LaunchPlan& plan, const Values& x, Pool& pool,
             const Route& route) {
    return run(problem, plan, x, pool, route, first_ys(problem));
  }
  Values run(const Problem& problem, const LaunchPlan& plan, const Values& x, Pool& pool,
             const Route& route, Values y) {
    const Built built = test_engine().build(problem, plan);
    EXPECT_TRUE(built.executable) << built.detail;
    const Handle<cl_mem> x_buffer = test_buffer(x);
    const Handle<cl_mem> y_buffer = test_buffer(y);
    Operands operands;
    operands.x = x_buffer.get();
    operands.y = y_buffer.get();
    operands.scale = kScale;
    pool.bind(queue_.get(), plan, route, operands);
    built.executable->enqueue(queue_.get(), operands);
    read_buffer(queue_.get(), y_buffer.get(), 0, y.size() * sizeof(float), y.data());
    return y;
  }

  static bool same_bits(const Values& a, const Values& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  }

  // Plans of every variant that knows adapters, of a few configs each.
  static std::vector<LaunchPlan> plans(const Problem& problem, int configs = 3) {
    const DeviceInfo& device = test_engine().info();
    std::vector<LaunchPlan> all;
    for (const Variant* variant : variants()) {
      if (!variant->supports(problem, device)) continue;
      for (const Config& config : sample_configs(*variant, {&problem, 1}, device, configs, 1)) {
        all.push_back(variant->plan(problem, config, device));
      }
    }
    return all;
  }

  std::mt19937 random_{1};
  Handle<cl_command_queue> queue_ = test_queue();
};

// A slot is set anew and cleared in place, in every layout there is, and the next call sees it.
class UpdatedPool : public Pools {
 protected:
  UpdatedPool() {
    set(pool_, 0, first_);
    set(pool_, 2, first_);
    EXPECT_EQ(route_.assign(queue_.get(), slots_), "");
    EXPECT_GE(plans_.size(), 4U);
    run_all({&first_, nullptr, &first_});
  }
  bool right(const LaunchPlan& plan, const std::vector<const Adapter*>& adapters) {
    return same_bits(run(shape_, plan, x_, pool_, route_), expected(shape_, x_, slots_, adapters));
  }
  void run_all(const std::vector<const Adapter*>& adapters) {
    for (const LaunchPlan& plan : plans_) EXPECT_TRUE(right(plan, adapters)) << build_options(plan);
  }
  cl_mem buffer_of(const LaunchPlan& plan) {
    Operands operands;
    pool_.bind(queue_.get(), plan, route_, operands);
    return operands.a;
  }

  const Problem shape_ = problem(8, {45, 16});
  const std::vector<LaunchPlan> plans_ = plans(shape_);
  const Slots slots_ = {0, 1, 2, -1, 2, 0, 2, 1};
  const Values x_ = numbers(8 * kK);
  Pool pool_{test_engine().context(), shape_, 3};
  Route route_{test_engine().context(), 8, 3};
  const Adapter first_ = adapter(shape_, {4}, 1);
};

}  // namespace loratune
