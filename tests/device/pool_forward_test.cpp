// A Forward finds the plan for the rows and adapters of a step.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/forward.h"
#include "pools.h"
#include "unit/allocations.h"

namespace loratune {
namespace {

class PoolForward : public UpdatedPool {
 protected:
  PoolForward() {
    x_buffer_ = test_buffer(x_);
    call_.x = x_buffer_.get();
    call_.scale = kScale;
  }
  Values run(const Slots& slots) { return run(slots, forward_); }
  Values run(const Slots& slots, Forward& forward) {
    EXPECT_EQ(route_.assign(queue_.get(), slots), "");
    Values y = first_ys(shape_);
    const Handle<cl_mem> buffer = test_buffer(y);
    call_.y = buffer.get();
    call_.m = static_cast<std::int64_t>(slots.size());
    EXPECT_EQ(forward.enqueue(queue_.get(), pool_, route_, call_), "");
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

// With numbers whose sums show their order, the first row's bits are the same whoever has the
// others.
TEST_F(PoolForward, KeepsTheBitsOfARowWhereTheModePromisesIt) {
  Values x = x_;
  for (float& value : x) value *= 0.1F;
  x_buffer_ = test_buffer(x);
  call_.x = x_buffer_.get();
  set(pool_, 1, adapter(shape_, {1, 6}, 3));
  Forward invariant(test_engine(), dispatcher_, plain(shape_), Mode::batch_invariant);
  ASSERT_EQ(invariant.prepare(queue_.get(), pool_, 8, 3), "");
  const auto first_row = [&](const Slots& slots) {
    Values y = run(slots, invariant);
    y.resize(static_cast<std::size_t>(shape_.n));
    return y;
  };
  const Values alone = first_row({2});
  Values before = first_ys(shape_);
  before.resize(alone.size());
  EXPECT_FALSE(same_bits(alone, before));
  for (const Slots& slots : {Slots{2, 2}, Slots{2, -1}, Slots{2, 1}, Slots{2, 0, 1}, Slots(8, 2),
                             Slots{2, 0, 0, 1, 1, 2, -1, 0}}) {
    EXPECT_TRUE(same_bits(first_row(slots), alone)) << slots.size();
  }
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

// The plans for the rows of one adapter hand x A^T over in scratch, which the trial runs bring.
TEST_F(PoolForward, IsPreparedWhereEveryCallBringsScratch) {
  Problem own = plain(shape_);
  own.rank = 4;
  const std::unique_ptr<Engine> engine = engine_without_scratch();
  const Dispatcher dispatcher = dispatcher_of_split(own);
  Forward forward(*engine, dispatcher, plain(shape_));
  EXPECT_EQ(forward.prepare(queue_.get(), pool_, 8, 3), "");
  Forward alone(*engine, dispatcher, own);
  std::string why;
  const Executable* const executable = alone.executable(8, why);
  ASSERT_NE(executable, nullptr) << why;
  EXPECT_GT(executable->scratch_bytes(), 0) << "nothing is shown";
  EXPECT_EQ(alone.prepare(queue_.get(), *pool_.alone(2), 8), "");
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
  // Of another rank, however the rows fall.
  Problem larger = plain(shape_);
  larger.rank += 1;
  Forward other(test_engine(), dispatcher_, larger);
  for (const Slots& slots : {Slots{2, 2, 2}, Slots{2, 1, 0}}) {
    ASSERT_EQ(route_.assign(queue_.get(), slots), "");
    EXPECT_NE(other.enqueue(queue_.get(), pool_, route_, call_).find("of another shape"),
              std::string::npos);
    ASSERT_EQ(wider.assign(queue_.get(), slots), "");
    EXPECT_NE(forward_.enqueue(queue_.get(), pool_, wider, call_).find("over 4 slots"),
              std::string::npos);
  }
  EXPECT_THROW(Forward(test_engine(), dispatcher_, shape_), std::invalid_argument)
      << "the route says how many adapters";
}

}  // namespace
}  // namespace loratune
