// Modules that share x, and DoRA, through the engine: weights made of several modules, y in one
// buffer or in several, plans of parts. Everything is compared with plain double arithmetic.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "loratune/variants/slices.h"
#include "test_engine.h"

namespace loratune {
namespace {

struct Module {
  int rank;
  float scale;
  std::vector<float> a, b, g;
};

// q, k and v of a small layer, with ranks of their own.
class Group : public testing::Test {
 protected:
  Group() {
    Kind kind;
    kind.slices = {{40, 9, 17}, 3};
    problem_ = make_problem(kind, 5, 131, 66, 8);
    for (const int rank : {8, 3, 5})
      modules_.push_back({rank, 0.25F * static_cast<float>(rank), {}, {}, {}});
    fill();
  }

  std::vector<float> numbers(std::int64_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  }

  void fill() {
    for (int i = 0; i < slice_count(problem_); ++i) {
      Module& module = modules_[static_cast<std::size_t>(i)];
      module.a = numbers(module.rank * problem_.k);
      module.b = numbers(slice_columns(problem_, i) * module.rank);
      module.g = numbers(slice_columns(problem_, i));
    }
    x_ = numbers(problem_.m * problem_.k);
    y_ = numbers(problem_.m * problem_.n);
  }

  std::vector<Factors> factors() const {
    std::vector<Factors> all;
    for (const Module& module : modules_) {
      all.push_back({module.a.data(), module.b.data(), module.rank, module.scale,
                     problem_.dora ? module.g.data() : nullptr});
    }
    return all;
  }

  // y of a slice in double, and how far a float may be from it.
  double expected(int slice, std::int64_t row, std::int64_t column, double& tolerance) const {
    const Module& module = modules_[static_cast<std::size_t>(slice)];
    double sum = 0;
    double size = 0;
    for (int j = 0; j < module.rank; ++j) {
      double h = 0;
      for (std::int64_t i = 0; i < problem_.k; ++i) {
        h += static_cast<double>(x_[static_cast<std::size_t>(row * problem_.k + i)]) *
             module.a[static_cast<std::size_t>(j * problem_.k + i)];
      }
      const double b = module.b[static_cast<std::size_t>(column * module.rank + j)];
      sum += h * b;
      size += std::fabs(h * b) + std::sqrt(static_cast<double>(problem_.k)) * std::fabs(b);
    }
    const double old =
        y_[static_cast<std::size_t>(row * problem_.n + columns_before(problem_, slice) + column)];
    const double factor = problem_.dora ? module.g[static_cast<std::size_t>(column)] : 1.0;
    tolerance = 1e-5 * (1 + std::fabs(factor) * (std::fabs(old) + std::fabs(module.scale) * size));
    return factor * (old + module.scale * sum);
  }

  // Runs the plan, with y in one buffer or one for each slice, and compares.
  void run(const LaunchPlan& plan, Weights& weights, bool apart) {
    Built built = test_engine().build(problem_, plan);
    ASSERT_EQ(built.outcome, Outcome::correct) << built.detail;
    const Handle<cl_mem> x = test_buffer(x_);
    std::vector<Handle<cl_mem>> ys;
    Operands operands;
    operands.x = x.get();
    if (!apart) {
      ys.push_back(test_buffer(y_));
      operands.y = ys.front().get();
    }
    for (int i = 0; apart && i < slice_count(problem_); ++i) {
      std::vector<float> own(3, -1.0F);  // before the first row
      for (std::int64_t row = 0; row < problem_.m; ++row) {
        const auto from = y_.begin() + row * problem_.n + columns_before(problem_, i);
        own.insert(own.end(), from, from + slice_columns(problem_, i));
      }
      ys.push_back(test_buffer(own));
      operands.slices[static_cast<unsigned>(i)].y = ys.back().get();
      operands.slices[static_cast<unsigned>(i)].off_y = 3;
    }
    weights.set(queue_.get(), plan, operands);
    built.executable->enqueue(queue_.get(), operands);
    for (int i = 0; i < slice_count(problem_); ++i) {
      const cl_mem buffer = ys[apart ? static_cast<std::size_t>(i) : 0].get();
      std::vector<float> got(buffer_bytes(buffer) / sizeof(float));
      read_buffer(queue_.get(), buffer, 0, got.size() * sizeof(float), got.data());
      for (std::int64_t row = 0; row < problem_.m; ++row) {
        for (std::int64_t column = 0; column < slice_columns(problem_, i); ++column) {
          const std::int64_t at = apart ? 3 + row * slice_columns(problem_, i) + column
                                        : row * problem_.n + columns_before(problem_, i) + column;
          double tolerance = 0;
          const double want = expected(i, row, column, tolerance);
          ASSERT_NEAR(got[static_cast<std::size_t>(at)], want, tolerance)
              << "slice " << i << ", y[" << row << "," << column << "]";
        }
      }
      if (apart) {
        EXPECT_EQ(got[2], -1.0F);
      }
    }
  }

  LaunchPlan plan_of(const Variant& variant) const {
    const DeviceInfo& device = test_engine().info();
    return variant.plan(problem_, variant.default_config(problem_, device), device);
  }

  std::mt19937 random_{7};
  Problem problem_;
  std::vector<Module> modules_;
  std::vector<float> x_, y_;
  Handle<cl_command_queue> queue_ = test_queue();
};

class GroupOf : public Group, public testing::WithParamInterface<const Variant*> {};

TEST_P(GroupOf, ModulesWithRanksOfTheirOwn) {
  const Variant& variant = *GetParam();
  for (const bool dora : {false, true}) {
    problem_.dora = dora;
    ASSERT_TRUE(variant.supports(problem_, test_engine().info()));
    const LaunchPlan plan = plan_of(variant);
    Weights weights(test_engine().context(), problem_, factors());
    for (const bool apart : {false, true}) run(plan, weights, apart);
    fill();
    weights.update(queue_.get(), factors());
    run(plan, weights, true);
  }
}

// Weights whose layouts stand in a buffer of the caller's, of all slices or of each.
TEST_P(GroupOf, ModulesWhoseWeightsStandInAnArena) {
  const Variant& variant = *GetParam();
  problem_.dora = true;
  ASSERT_TRUE(variant.supports(problem_, test_engine().info()));
  const LaunchPlan plan = plan_of(variant);
  Weights weights(test_engine().context(), problem_, factors());
  const std::int64_t bytes = weights.bytes_of(plan);
  const Handle<cl_mem> arena =
      make_buffer(test_engine().context(), static_cast<std::size_t>(bytes + 128));
  weights.use_arena(arena.get(), 128, bytes);
  run(plan, weights, false);
}

// Whatever the plan is of: one launch for all slices, or parts that follow one another.
TEST_P(GroupOf, OutputsThatOverlapAreRefused) {
  const Variant& variant = *GetParam();
  ASSERT_TRUE(variant.supports(problem_, test_engine().info()));
  const LaunchPlan plan = plan_of(variant);
  Weights weights(test_engine().context(), problem_, factors());
  const Handle<cl_mem> x = test_buffer(x_);
  const Handle<cl_mem> y = make_buffer(test_engine().context(), 16384);
  Operands operands;
  operands.x = x.get();
  operands.y = y.get();
  weights.set(queue_.get(), plan, operands);
  const auto reason = [&] { return invalid_reason(problem_, plan, operands); };
  EXPECT_EQ(reason(), "");
  operands.ld_y = 40;
  EXPECT_EQ(reason(), "ld_y is 40, a row of y has 66 elements");
  operands.ld_y = 0;
  for (SliceOperands& slice : operands.slices) slice.y = y.get();
  EXPECT_EQ(reason(), "y of slices 0 and 1 overlap");
  operands.slices[1].off_y = problem_.m * 40;
  operands.slices[2].off_y = problem_.m * 49;
  EXPECT_EQ(reason(), "");
  // Rows of slice 0 end in byte 800. Those of slice 2 stand in a part of the buffer.
  const Handle<cl_mem> behind = part_of(y.get(), 4096, 4096);
  operands.slices[2] = {};
  operands.slices[2].y = behind.get();
  weights.set(queue_.get(), plan, operands);
  EXPECT_EQ(reason(), "");
  operands.slices[0].off_y = 1024;
  EXPECT_EQ(reason(), "y of slices 0 and 2 overlap");
}

INSTANTIATE_TEST_SUITE_P(Variants, GroupOf, testing::ValuesIn(group_variants()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST_F(Group, HasADefaultAndPartsAreOne) {
  const Choice choice = default_choice(problem_, test_engine().info());
  ASSERT_NE(choice.variant, nullptr);
  Weights weights(test_engine().context(), problem_, factors());
  run(choice.variant->plan(problem_, choice.config, test_engine().info()), weights, false);
  const LaunchPlan parts = plan_of(*find_variant("separate"));
  EXPECT_EQ(parts.parts.size(), 3U);
  EXPECT_TRUE(parts.launches.empty());
  EXPECT_GE(launch_count(parts), 3);
  EXPECT_THROW(weights.buffers(queue_.get(), parts), std::invalid_argument);
}

TEST_F(Group, OfOneModuleIsThePlainProductWithDora) {
  problem_.slices = {};
  problem_.dora = true;
  problem_.n = 40;
  modules_.resize(1);
  fill();
  Weights weights(test_engine().context(), problem_, factors());
  run(plan_of(*default_choice(problem_, test_engine().info()).variant), weights, false);
}

// What the operands may be wrong in is told before anything is enqueued.
TEST_F(Group, OperandsThatDoNotFitAreRefused) {
  const LaunchPlan plan = plan_of(*find_variant("split"));
  Weights weights(test_engine().context(), problem_, factors());
  const Handle<cl_mem> x = test_buffer(x_);
  const Handle<cl_mem> y = test_buffer(y_);
  const Handle<cl_mem> small = test_buffer(std::vector<float>(16));
  Operands operands;
  operands.x = x.get();
  weights.set(queue_.get(), plan, operands);
  const auto reason = [&] { return invalid_reason(problem_, plan, operands); };
  EXPECT_NE(reason(), "");
  operands.y = y.get();
  EXPECT_EQ(reason(), "");
  for (SliceOperands& slice : operands.slices) slice.y = y.get();
  EXPECT_NE(reason().find("overlap"), std::string::npos) << reason();
  operands.slices[1].off_y = problem_.m * 40;
  operands.slices[2].off_y = problem_.m * 49;
  EXPECT_EQ(reason(), "");
  operands.slices[2].y = small.get();
  operands.slices[2].off_y = 0;
  EXPECT_NE(reason().find("slice 2: y does not fit"), std::string::npos) << reason();
  const LaunchPlan parts = plan_of(*find_variant("separate"));
  weights.set(queue_.get(), parts, operands);
  const auto reason_of_parts = [&] { return invalid_reason(problem_, parts, operands); };
  EXPECT_NE(reason_of_parts().find("slice 2: y does not fit"), std::string::npos);
  // Some of the slices have buffers of their own, and y has room for all.
  operands.slices[2].y = nullptr;
  const std::string none = "slice 2: y has no buffer of its own, that of slice 0 has one";
  EXPECT_EQ(reason_of_parts(), none);
  weights.set(queue_.get(), plan, operands);
  EXPECT_EQ(reason(), none);
  operands.slices[0].y = nullptr;
  EXPECT_EQ(reason(), "slice 1: y has a buffer of its own, that of slice 0 has none");
}

// The last part takes more of the caller's scratch than there is: the parts before it do not run.
TEST_F(Group, PartsRunWhereTheScratchIsEnoughForAllOfThem) {
  const Variant& split = *find_variant("split");
  const std::unique_ptr<Engine> engine = engine_without_scratch();
  LaunchPlan plan;
  for (int i = 0; i < slice_count(problem_); ++i) {
    const Problem alone = slice_problem(problem_, i);
    const Config config = split.default_config(alone, engine->info());
    plan.parts.push_back(split.plan(alone, config, engine->info()));
    ASSERT_EQ(plan.parts.back().scratch.size(), 1U);
  }
  const std::uint64_t first_takes = plan.parts[0].scratch[0].bytes;
  const std::uint64_t last_takes = first_takes + 4096;
  plan.parts[2].scratch[0].bytes = last_takes;
  const Built built = engine->build(problem_, plan);
  ASSERT_TRUE(built.executable) << built.detail;
  Weights weights(engine->context(), problem_, factors());
  const Handle<cl_mem> x = test_buffer(x_);
  const Handle<cl_mem> y = test_buffer(y_);
  Operands operands;
  operands.x = x.get();
  operands.y = y.get();
  weights.set(queue_.get(), plan, operands);
  const auto y_now = [&] {
    std::vector<float> values(y_.size());
    read_buffer(queue_.get(), y.get(), 0, values.size() * sizeof(float), values.data());
    return values;
  };
  const auto refusal = [&]() -> std::string {
    try {
      built.executable->enqueue(queue_.get(), operands, Sync{});
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "was run";
  };
  const std::string takes = "it takes " + std::to_string(last_takes) + " bytes";
  EXPECT_EQ(refusal(), "operands: scratch has no buffer, " + takes);
  const Handle<cl_mem> small = make_buffer(engine->context(), first_takes);
  operands.scratch = small.get();
  EXPECT_EQ(refusal(), "operands: scratch does not fit: " + takes + " from 0 on, its buffer has " +
                           std::to_string(first_takes));
  EXPECT_THROW(built.executable->enqueue(queue_.get(), operands), std::invalid_argument);
  EXPECT_EQ(y_now(), y_);
  const Handle<cl_mem> enough = make_buffer(engine->context(), last_takes);
  operands.scratch = enough.get();
  built.executable->enqueue(queue_.get(), operands);
  EXPECT_NE(y_now(), y_);
}

TEST_F(Group, WeightsThatAreNotTheProblemsAreRefused) {
  const cl_context context = test_engine().context();
  std::vector<Factors> two = factors();
  two.pop_back();
  EXPECT_THROW(Weights(context, problem_, two), std::invalid_argument);
  std::vector<Factors> wide = factors();
  wide[1].rank = 9;
  EXPECT_THROW(Weights(context, problem_, wide), std::invalid_argument);
  std::vector<Factors> unwanted = factors();
  unwanted[2].g = y_.data();
  EXPECT_THROW(Weights(context, problem_, unwanted), std::invalid_argument);
  Problem with_dora = problem_;
  with_dora.dora = true;
  EXPECT_THROW(Weights(context, with_dora, factors()), std::invalid_argument);
  Problem other = problem_;
  other.slices = {{9, 40, 17}, 3};
  Weights of_another(context, other, std::vector<float>(24 * 131).data(),
                     std::vector<float>(66 * 8).data());
  Operands operands;
  EXPECT_THROW(of_another.set(queue_.get(), plan_of(*find_variant("split")), operands),
               std::invalid_argument);
}

TEST_F(Group, PlansThatTakeASliceThatIsNotAreNotBuilt) {
  LaunchPlan plan = plan_of(*find_variant("split"));
  for (Arg& arg : plan.launches.back().args) {
    if (arg.role == Role::off_y && arg.value == 2) arg.value = 3;
  }
  EXPECT_EQ(test_engine().build(problem_, plan).outcome, Outcome::compile);
  LaunchPlan parts = plan_of(*find_variant("separate"));
  parts.parts.pop_back();
  EXPECT_EQ(test_engine().build(problem_, parts).outcome, Outcome::compile);
}

}  // namespace
}  // namespace loratune
