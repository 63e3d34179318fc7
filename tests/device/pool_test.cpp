// Rows of several adapters in one call: each row against its own adapter's product, in double, and
// rows without an adapter to the bit.
#include "loratune/engine/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "loratune/engine/forward.h"
#include "loratune/engine/route.h"
#include "loratune/variants/slices.h"
#include "test_engine.h"
#include "tuner/candidates.h"
#include "unit/allocations.h"

namespace loratune {
namespace {

using Values = std::vector<float>;
using Slots = std::vector<std::int32_t>;

constexpr std::int64_t kK = 67;
constexpr int kLargest = 12;
constexpr float kScale = 0.5F;

// The factors of one module of an adapter.
struct Module {
  int rank;
  float scale;
  Values a, b;
};
using Adapter = std::vector<Module>;

// Whole numbers from -2 to 2: every order of summation gives the same bits.
Values numbers(std::int64_t count, std::mt19937& random) {
  Values values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 5) - 2);
  return values;
}

class Pools : public testing::Test {
 protected:
  static Problem problem(std::int64_t m, std::vector<std::int32_t> columns = {45}) {
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
      made.push_back({rank, scale * static_cast<float>(i + 1), numbers(rank * shape.k, random_),
                      numbers(slice_columns(shape, i) * rank, random_)});
    }
    return made;
  }

  void set(Pool& pool, int slot, const Adapter& adapter) {
    std::vector<Factors> factors;
    for (const Module& module : adapter) {
      const bool none = module.rank == 0;
      factors.push_back({none ? nullptr : module.a.data(), none ? nullptr : module.b.data(),
                         module.rank, module.scale, nullptr});
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
          if (module.rank == 0) continue;
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

TEST_F(Pools, GiveEachRowItsAdapter) {
  for (const std::vector<std::int32_t>& columns :
       {std::vector<std::int32_t>{45}, {45, 16, 3}, {1, 70}}) {
    const Problem shape = problem(16, columns);
    Pool pool(test_engine().context(), shape, 6);
    const Adapter small = adapter(shape, {1, 3}, 2);
    const Adapter large = adapter(shape, {kLargest}, -1);
    const Adapter middle = adapter(shape, {5, 2, 12}, 0.25F);
    set(pool, 4, small);
    set(pool, 1, large);
    set(pool, 2, middle);
    Route route(test_engine().context(), 16, 6);
    const std::vector<const Adapter*> adapters = {nullptr, &large, &middle,
                                                  nullptr, &small, nullptr};
    for (const Slots& slots : {Slots{1, -1, 4, 2, 1, 1, 0, 4, -1, 2, 1, 1, 5, 1, 1, 1},
                               Slots(16, 2), Slots(16, -1), Slots(16, 3)}) {
      ASSERT_EQ(route.assign(queue_.get(), slots), "");
      const Values x = numbers(16 * kK, random_);
      int tried = 0;
      for (const LaunchPlan& plan : plans(shape)) {
        EXPECT_TRUE(
            same_bits(run(shape, plan, x, pool, route), expected(shape, x, slots, adapters)))
            << plan.launches.front().kernel << ' ' << build_options(plan);
        ++tried;
      }
      EXPECT_GE(tried, 4);
    }
  }
}

// What a step asks of a route is answered as the slots say, for every size of a block.
TEST_F(Pools, RoutesSortTheRowsAndCutThemIntoBlocks) {
  Route route(test_engine().context(), 200, 9);
  for (int turn = 0; turn < 20; ++turn) {
    Slots slots(random_() % 200 + 1);
    for (std::int32_t& slot : slots) slot = static_cast<std::int32_t>(random_() % 10) - 1;
    ASSERT_EQ(route.assign(queue_.get(), slots), "");
    EXPECT_EQ(route.rows(), static_cast<std::int64_t>(slots.size()));
    std::vector<std::int32_t> table(buffer_bytes(route.buffer()) / sizeof(std::int32_t));
    read_buffer(queue_.get(), route.buffer(), 0, table.size() * sizeof(std::int32_t), table.data());
    for (std::int64_t size = 1; size <= kMostRouteRows; size *= 2) {
      Slots found(slots.size(), -1);
      std::int64_t active = 0;
      std::int32_t last = -1;
      for (std::int64_t block = 0; block < route.blocks(size); ++block) {
        const std::int32_t* entry = table.data() + route.first_block(size) + 3 * block;
        ASSERT_GE(entry[0], last);
        active += entry[0] != last ? 1 : 0;
        last = entry[0];
        ASSERT_GE(entry[2], 1);
        ASSERT_LE(entry[2], size);
        for (int i = 0; i < entry[2]; ++i) {
          std::int32_t& row =
              found.at(static_cast<std::size_t>(table[static_cast<std::size_t>(entry[1] + i)]));
          ASSERT_EQ(row, -1) << "a row twice";
          row = entry[0];
        }
      }
      EXPECT_EQ(found, slots) << size;
      EXPECT_EQ(route.active(), active);
    }
  }
}

TEST_F(Pools, RoutesRefuseSlotsThatAreNone) {
  Route route(test_engine().context(), 4, 3);
  ASSERT_EQ(route.assign(queue_.get(), Slots{2, -1, 2}), "");
  EXPECT_EQ(route.assign(queue_.get(), Slots{0, 3}), "route: row 1 has slot 3 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{-2}), "route: row 0 has slot -2 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{INT32_MAX}), "route: row 0 has slot 2147483647 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{INT32_MIN}), "route: row 0 has slot -2147483648 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots(5, 0)), "route: 5 rows, it is for up to 4");
  EXPECT_EQ(route.rows(), 3) << "what is refused changes nothing";
  EXPECT_EQ(route.active(), 1);
  EXPECT_EQ(route.only(), -1) << "one row has no adapter";
  ASSERT_EQ(route.assign(queue_.get(), Slots{1, 1}), "");
  EXPECT_EQ(route.only(), 1);
  ASSERT_EQ(route.assign(queue_.get(), {}), "");
  EXPECT_EQ(route.rows(), 0);
  EXPECT_THROW(Route(test_engine().context(), 0, 1), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), 1, 0), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), std::int64_t{1} << 40, 1), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), 1, INT32_MAX), std::invalid_argument);
}

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
  const Values x_ = numbers(8 * kK, random_);
  Pool pool_{test_engine().context(), shape_, 3};
  Route route_{test_engine().context(), 8, 3};
  const Adapter first_ = adapter(shape_, {4}, 1);
};

TEST_F(UpdatedPool, HasTheNewFactorsInPlace) {
  std::vector<cl_mem> before;
  for (const LaunchPlan& plan : plans_) before.push_back(buffer_of(plan));
  const Adapter second = adapter(shape_, {7, 2}, -2);
  set(pool_, 2, second);
  run_all({&first_, nullptr, &second});
  set(pool_, 1, second);
  run_all({&first_, &second, &second});
  pool_.clear(queue_.get(), 2);
  run_all({&first_, &second, nullptr});
  EXPECT_EQ(pool_.rank(2), 0);
  EXPECT_EQ(pool_.alone(2), nullptr);
  set(pool_, 2, first_);
  run_all({&first_, &second, &first_});
  const Adapter part = adapter(shape_, {0, 3}, 1);
  set(pool_, 0, part);
  run_all({&part, &second, &first_});
  EXPECT_EQ(pool_.alone(0), nullptr) << "one of its modules has no factors";
  for (std::size_t i = 0; i < plans_.size(); ++i) EXPECT_EQ(buffer_of(plans_[i]), before[i]);
}

// So a packed copy that an update forgets is seen, in whichever layout it is.
TEST_F(UpdatedPool, ShowsAStaleCopy) {
  const Adapter second = adapter(shape_, {4}, -2);
  for (const LaunchPlan& plan : plans_) {
    set(pool_, 2, first_);
    const cl_mem buffer = buffer_of(plan);
    std::vector<unsigned char> old(buffer_bytes(buffer));
    read_buffer(queue_.get(), buffer, 0, old.size(), old.data());
    set(pool_, 2, second);
    EXPECT_TRUE(right(plan, {&first_, nullptr, &second}));
    write_buffer(queue_.get(), buffer, 0, old.size(), old.data());
    EXPECT_FALSE(right(plan, {&first_, nullptr, &second}));
    set(pool_, 2, second);
  }
}

TEST_F(UpdatedPool, RefusesWhatDoesNotFit) {
  const Adapter large = adapter(shape_, {kLargest + 1}, 1);
  EXPECT_THROW(set(pool_, 2, large), std::invalid_argument);
  EXPECT_THROW(set(pool_, 3, first_), std::invalid_argument);
  EXPECT_THROW(set(pool_, -1, first_), std::invalid_argument);
  EXPECT_THROW(pool_.clear(queue_.get(), 3), std::invalid_argument);
  EXPECT_THROW(pool_.rank(3), std::invalid_argument);
  EXPECT_THROW(pool_.alone(-1), std::invalid_argument);
  EXPECT_THROW(pool_.set(queue_.get(), 0, std::vector<Factors>{}), std::invalid_argument);
  const Adapter none = adapter(shape_, {0}, 1);
  EXPECT_THROW(set(pool_, 2, none), std::invalid_argument);
  const float one = 1;
  EXPECT_THROW(pool_.set(queue_.get(), 0, &one, nullptr, 1, 1.0F), std::invalid_argument);
  EXPECT_THROW(Pool(test_engine().context(), shape_, 0), std::invalid_argument);
  EXPECT_THROW(Pool(test_engine().context(), Problem{}, 1), std::invalid_argument);
  run_all({&first_, nullptr, &first_});
  // Calls that do not fit are refused before anything is enqueued.
  const LaunchPlan& plan = plans_.front();
  const Handle<cl_mem> x = test_buffer(x_);
  const Handle<cl_mem> y = test_buffer(Values(static_cast<std::size_t>(8 * shape_.n)));
  Operands sound;
  sound.x = x.get();
  sound.y = y.get();
  pool_.bind(queue_.get(), plan, route_, sound);
  EXPECT_EQ(invalid_reason(shape_, plan, sound), "");
  const auto refused = [&](const std::string& word, auto&& plant) {
    Operands call = sound;
    plant(call);
    const std::string why = invalid_reason(shape_, plan, call);
    EXPECT_NE(why.find(word), std::string::npos) << why << " has no: " << word;
  };
  refused("no pool and route", [](Operands& o) { o.route = nullptr; });
  refused("no pool and route", [](Operands& o) { o.slots = nullptr; });
  refused("the route is of 8 rows, the call of 7", [](Operands& o) { o.m = 7; });
  refused("over 3 slots, the pool has 2", [](Operands& o) { o.slot_count = 2; });
  refused("does not fit", [](Operands& o) { o.ld_slot *= 2; });
  refused("ld_a", [](Operands& o) { o.ld_slot = 1; });
  refused("ld_a", [](Operands& o) { o.ld_slot = INT64_MIN; });
  Pool other(test_engine().context(), problem(8), 3);
  EXPECT_THROW(other.bind(queue_.get(), plan, route_, sound), std::invalid_argument);
  Problem plain = shape_;
  plain.adapters = 0;
  const Choice choice = default_choice(plain, test_engine().info());
  EXPECT_THROW(
      pool_.bind(queue_.get(), choice.variant->plan(plain, choice.config, test_engine().info()),
                 route_, sound),
      std::invalid_argument);
}

// The bits of a row depend on its slot, not on the rows beside it: with any plan of one config.
TEST_F(Pools, GiveARowTheSameBitsWhateverStandsBesideIt) {
  const Problem shape = problem(33);
  Pool pool(test_engine().context(), shape, 4);
  std::normal_distribution<float> normal;
  const auto real = [&](std::int64_t count) {
    Values values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  };
  for (int slot = 0; slot < 4; ++slot) {
    set(pool, slot, {{5 + slot, 1.7F, real((5 + slot) * kK), real(shape.n * (5 + slot))}});
  }
  Values x = real(33 * kK);
  Route route(test_engine().context(), 33, 4);
  for (const LaunchPlan& plan : plans(shape)) {
    const Values row(x.begin(), x.begin() + kK);
    Values first;
    for (const Slots& others : {Slots(32, -1), Slots(32, 2), Slots(32, 1)}) {
      for (const std::size_t at : {0U, 7U, 32U}) {
        Slots slots = others;
        slots.insert(slots.begin() + static_cast<std::ptrdiff_t>(at), 2);
        Values moved = x;
        std::copy(row.begin(), row.end(), moved.begin() + static_cast<std::ptrdiff_t>(at * kK));
        ASSERT_EQ(route.assign(queue_.get(), slots), "");
        const Values y = run(shape, plan, moved, pool, route, Values(33 * 45, 0.5F));
        const auto begin = y.begin() + static_cast<std::ptrdiff_t>(at * 45);
        const Values bits(begin, begin + 45);
        if (first.empty()) first = bits;
        EXPECT_TRUE(same_bits(first, bits)) << build_options(plan) << ", row " << at;
      }
    }
  }
}

// A Forward finds the plan for the rows and adapters of a step.
class PoolForward : public UpdatedPool {
 protected:
  PoolForward() {
    x_buffer_ = test_buffer(x_);
    call_.x = x_buffer_.get();
    call_.scale = kScale;
  }
  Values run(const Slots& slots) {
    EXPECT_EQ(route_.assign(queue_.get(), slots), "");
    Values y = first_ys(shape_);
    const Handle<cl_mem> buffer = test_buffer(y);
    call_.y = buffer.get();
    call_.m = static_cast<std::int64_t>(slots.size());
    EXPECT_EQ(forward_.enqueue(queue_.get(), pool_, route_, call_), "");
    read_buffer(queue_.get(), buffer.get(), 0, y.size() * sizeof(float), y.data());
    return y;
  }
  Values want(Slots slots, const std::vector<const Adapter*>& adapters) const {
    slots.resize(8, -1);
    return expected(shape_, x_, slots, adapters);
  }
  static Problem plain(Problem problem) {
    problem.adapters = 0;
    return problem;
  }

  Dispatcher dispatcher_{test_engine().info()};
  Forward forward_{test_engine(), dispatcher_, plain(shape_)};
  Handle<cl_mem> x_buffer_;
  Operands call_;
};

TEST_F(PoolForward, ServesAnyRowsAndAdapters) {
  const Adapter other = adapter(shape_, {1, 6}, 3);
  set(pool_, 1, other);
  const std::vector<const Adapter*> adapters = {&first_, &other, &first_};
  for (const Slots& slots : {slots_, Slots{1}, Slots{-1}, Slots(8, 1), Slots{2, 2, 1}, Slots{},
                             Slots{0, 1, 2, 0, 1}, Slots{2, -1}}) {
    EXPECT_TRUE(same_bits(run(slots), want(slots, adapters))) << slots.size();
  }
}

// So bits of the plan for one adapter are those of a call whose rows all have it.
TEST_F(PoolForward, TakesThePlanForOneAdapterWhereOneHasAllRows) {
  Problem own = plain(shape_);
  own.rank = 4;
  Forward alone(test_engine(), dispatcher_, own);
  EXPECT_TRUE(same_bits(run(Slots(8, 2)), want(Slots(8, 2), {&first_, nullptr, &first_})));
  std::string why;
  EXPECT_NE(alone.executable(8, why)->plan(), forward_.executable(8, why, 1)->plan());
  EXPECT_EQ(
      pool_.alone(2)->buffers(queue_.get(), alone.executable(8, why)->plan()).first != nullptr,
      true);
}

TEST_F(PoolForward, AllocatesAndBuildsNothingOnceItIsPrepared) {
  ASSERT_EQ(forward_.prepare(queue_.get(), pool_, 8, 3), "");
  const Handle<cl_mem> y = test_buffer(Values(static_cast<std::size_t>(8 * shape_.n)));
  call_.y = y.get();
  std::vector<Slots> steps = {slots_, {1}, {-1, -1}, {2, 2, 2}, {0, 1, 2, 0}, {1, 0}};
  bool good = true;
  const int before = allocations().count;
  for (const Slots& slots : steps) {
    call_.m = static_cast<std::int64_t>(slots.size());
    good = good && route_.assign(queue_.get(), slots).empty() &&
           forward_.enqueue(queue_.get(), pool_, route_, call_).empty();
  }
  const int count = allocations().count - before;
  EXPECT_TRUE(good);
  EXPECT_EQ(count, 0);
  finish(queue_.get());
}

TEST_F(PoolForward, RefusesACallThatDoesNotFit) {
  ASSERT_EQ(route_.assign(queue_.get(), slots_), "");
  const Handle<cl_mem> small = test_buffer(Values(10));
  call_.y = small.get();
  call_.m = 8;
  EXPECT_NE(forward_.enqueue(queue_.get(), pool_, route_, call_).find("y does not fit"),
            std::string::npos);
  const Handle<cl_mem> y = test_buffer(Values(static_cast<std::size_t>(8 * shape_.n)));
  call_.y = y.get();
  call_.m = 5;
  EXPECT_NE(forward_.enqueue(queue_.get(), pool_, route_, call_).find("the route is of 8 rows"),
            std::string::npos);
  Route wider(test_engine().context(), 8, 4);
  ASSERT_EQ(wider.assign(queue_.get(), Slots{3, 1, 0}), "");
  call_.m = 3;
  EXPECT_NE(
      forward_.enqueue(queue_.get(), pool_, wider, call_).find("over 4 slots, the pool has 3"),
      std::string::npos);
  EXPECT_THROW(Forward(test_engine(), dispatcher_, shape_), std::invalid_argument)
      << "the route says how many adapters";
}

}  // namespace
}  // namespace loratune
