// Rows of several adapters in one call: each row against its own adapter's product, in double, and
// rows without an adapter to the bit.
#include "loratune/engine/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "pools.h"

namespace loratune {
namespace {

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
      const Values x = numbers(16 * kK);
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

// A module without A and B, and an adapter of such modules alone: DoRA's g acts all the same.
TEST_F(Pools, MultiplyByTheFactorsOfTheColumnsWhateverTheRank) {
  Problem shape = problem(16, {45, 16, 3});
  shape.dora = true;
  Pool pool(test_engine().context(), shape, 4);
  const Adapter some = adapter(shape, {5, 0, 12}, 2);
  const Adapter none = adapter(shape, {0}, -1);
  const Adapter all = adapter(shape, {kLargest}, 1);
  set(pool, 0, all);
  set(pool, 0, some);  // over factors of the largest rank
  set(pool, 1, none);
  set(pool, 3, all);
  EXPECT_EQ(pool.alone(0), nullptr);
  EXPECT_EQ(pool.alone(1), nullptr);
  EXPECT_NE(pool.alone(3), nullptr);
  Route route(test_engine().context(), 16, 4);
  const std::vector<const Adapter*> adapters = {&some, &none, nullptr, &all};
  const Values x = numbers(16 * kK);
  for (const Slots& slots :
       {Slots{0, 1, -1, 3, 2, 1, 1, 0, 0, 3, -1, 2, 0, 1, 0, 0}, Slots(16, 0), Slots(16, 1)}) {
    ASSERT_EQ(route.assign(queue_.get(), slots), "");
    const std::vector<LaunchPlan> tried = plans(shape);
    EXPECT_GE(tried.size(), 4U);
    for (const LaunchPlan& plan : tried) {
      // Not to the bit: an added zero makes a negative zero positive.
      EXPECT_EQ(run(shape, plan, x, pool, route), expected(shape, x, slots, adapters))
          << plan.launches.front().kernel << ' ' << build_options(plan);
    }
  }
}

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
  // A plan that counts the blocks of the route has scratch for so many of them only.
  LaunchPlan counting = plan;
  counting.launches[0].args.push_back({Role::block_count, 4});
  EXPECT_EQ(invalid_reason(shape_, counting, sound), "");
  Route many(test_engine().context(), 8, 8);
  ASSERT_EQ(many.assign(queue_.get(), Slots{0, 1, 2, 3, 4, 5, 6, 7}), "");
  Problem of_one = shape_;
  of_one.adapters = 1;
  Operands call = sound;
  call.route = &many;
  call.slot_count = 8;
  EXPECT_EQ(invalid_reason(of_one, counting, call),
            "the route has 8 blocks of 4 rows, the plan has room for 6");
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

}  // namespace
}  // namespace loratune
