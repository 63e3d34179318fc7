// Calls of any number of rows through one Forward, and plans that serve fewer rows than they were
// made for, in buffers of their own and in an arena.
#include "loratune/engine/forward.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "test_engine.h"
#include "unit/allocations.h"

namespace loratune {
namespace {

using Values = std::vector<float>;

constexpr float kScale = 0.5F;

Problem shape_of(std::int64_t m) {
  Problem shape;
  shape.m = m;
  shape.k = 37;
  shape.n = 29;
  shape.rank = 3;
  return shape;
}

// Small whole numbers, so that every order of summation gives the same bits.
Values numbers(std::int64_t count, int seed) {
  Values values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((static_cast<int>(i) * 7 + seed) % 5 - 2);
  }
  return values;
}

// The factors of a layer.
struct Layer {
  explicit Layer(const Problem& shape, int seed)
      : a(numbers(shape.rank * shape.k, seed)), b(numbers(shape.n * shape.rank, seed + 1)) {}
  Values a, b;
};

// The first rows of y = 1 + scale * (x A^T) B^T.
Values expected(const Problem& shape, const Layer& layer, const Values& x, std::int64_t rows) {
  Values y(static_cast<std::size_t>(rows * shape.n));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < shape.n; ++column) {
      double sum = 0;
      for (std::int64_t j = 0; j < shape.rank; ++j) {
        double h = 0;
        for (std::int64_t i = 0; i < shape.k; ++i) {
          h += static_cast<double>(x[static_cast<std::size_t>(row * shape.k + i)]) *
               static_cast<double>(layer.a[static_cast<std::size_t>(j * shape.k + i)]);
        }
        sum += h * static_cast<double>(layer.b[static_cast<std::size_t>(column * shape.rank + j)]);
      }
      y[static_cast<std::size_t>(row * shape.n + column)] = static_cast<float>(1 + kScale * sum);
    }
  }
  return y;
}

// x and y of up to 70 rows, and a row more behind them that no call may write.
class Rows : public testing::Test {
 protected:
  static constexpr std::int64_t kMost = 70;

  Operands operands(std::int64_t m) const {
    Operands operands;
    operands.x = x_buffer_.get();
    operands.y = y_buffer_.get();
    operands.m = m;
    operands.scale = kScale;
    return operands;
  }

  // y of a call that `enqueue` enqueues, of all rows there are.
  template <class Enqueue>
  Values y_after(Enqueue enqueue) {
    const Values ones(static_cast<std::size_t>((kMost + 1) * shape_.n), 1);
    write_buffer(queue_.get(), y_buffer_.get(), 0, ones.size() * sizeof(float), ones.data());
    enqueue();
    Values y(ones.size());
    read_buffer(queue_.get(), y_buffer_.get(), 0, y.size() * sizeof(float), y.data());
    return y;
  }

  // What is expected of m rows, the rows behind them being as they were.
  Values y_of(const Layer& layer, std::int64_t m) const {
    Values y = expected(shape_, layer, x_, m);
    y.resize(static_cast<std::size_t>((kMost + 1) * shape_.n), 1);
    return y;
  }

  const Problem shape_ = shape_of(20);
  const Layer layer_{shape_, 1};
  const Values x_ = numbers(kMost * shape_.k, 3);
  Handle<cl_command_queue> queue_ = test_queue();
  Handle<cl_mem> x_buffer_ = test_buffer(x_);
  Handle<cl_mem> y_buffer_ =
      test_buffer(Values(static_cast<std::size_t>((kMost + 1) * shape_.n), 1));
  Weights weights_{test_engine().context(), shape_, layer_.a.data(), layer_.b.data()};
};

TEST_F(Rows, OfEveryNumberAreServedByOnePlanOfEachVariant) {
  const DeviceInfo& device = test_engine().info();
  Problem problem = shape_;
  problem.m = kMost;
  for (const Variant* variant : variants()) {
    if (!variant->supports(problem, device)) continue;
    const LaunchPlan plan =
        variant->plan(problem, variant->default_config(problem, device), device);
    const Built built = test_engine().build(problem, plan);
    ASSERT_TRUE(built.executable) << built.detail;
    for (const std::int64_t m : {70, 1, 0, 2, 31, 32, 33, 69, 70}) {
      Operands call = operands(m);
      weights_.set(queue_.get(), plan, call);
      EXPECT_EQ(y_after([&] { built.executable->enqueue(queue_.get(), call); }), y_of(layer_, m))
          << variant->name << ", m " << m;
    }
  }
}

TEST_F(Rows, AreAsManyAsAPlanOfAFileWasMadeFor) {
  const Choice choice = default_choice(shape_, test_engine().info());
  LaunchPlan plan = choice.variant->plan(shape_, choice.config, test_engine().info());
  plan.made_for.problem.reset();
  EXPECT_EQ(invalid_reason(shape_, plan, operands(19)), "m is 19, the plan is for just 20 rows");
}

class Forwards : public Rows {
 protected:
  std::string enqueue(const Operands& call) {
    return forward_.enqueue(queue_.get(), weights_, call);
  }

  Dispatcher dispatcher_{test_engine().info()};
  Forward forward_{test_engine(), dispatcher_, shape_};
};

TEST_F(Forwards, ServeCallsOfAnyNumberOfRows) {
  for (const std::int64_t m : {1, 70, 0, 5, 20, 19, 21, 64, 3}) {
    EXPECT_EQ(y_after([&] { EXPECT_EQ(enqueue(operands(m)), ""); }), y_of(layer_, m)) << m;
  }
  EXPECT_EQ(y_after([&] { EXPECT_EQ(enqueue(operands(-1)), ""); }), y_of(layer_, 20))
      << "as many as the hint says";
}

TEST_F(Forwards, AllocateAndBuildNothingOnceTheyArePrepared) {
  ASSERT_EQ(forward_.prepare(queue_.get(), weights_, kMost), "");
  std::vector<Operands> calls;
  for (std::int64_t m = 0; m <= kMost; ++m) calls.push_back(operands(m));
  const int before = allocations().count;
  bool good = true;
  for (const Operands& call : calls) good = good && enqueue(call).empty();
  const int after = allocations().count;
  EXPECT_TRUE(good);
  EXPECT_EQ(after - before, 0);
  finish(queue_.get());
}

TEST_F(Forwards, AllocateAndBuildNothingInAnArenaEither) {
  const std::int64_t floats = 1 << 20;
  const Handle<cl_mem> arena =
      make_buffer(test_engine().context(), static_cast<std::size_t>(floats * 4));
  weights_.use_arena(arena.get(), 40000, (floats - 20000) * 4);
  ASSERT_EQ(forward_.prepare(queue_.get(), weights_, kMost), "");
  const int before = allocations().count;
  bool good = true;
  for (std::int64_t m = 1; m <= kMost; ++m) {
    Operands call = operands(m);
    call.x = call.y = arena.get();
    call.off_y = 4001;
    good = good && enqueue(call).empty();
  }
  const int after = allocations().count;
  EXPECT_TRUE(good);
  EXPECT_EQ(after - before, 0);
  finish(queue_.get());
}

// The hint's own plan serves the rows up to it, and its bucket's the rows above.
TEST_F(Forwards, PickForTheHintAndForPowersOfTwo) {
  std::string why;
  const auto rows = [&](std::int64_t m) { return forward_.executable(m, why)->problem().m; };
  EXPECT_EQ(rows(1), 1);
  EXPECT_EQ(rows(2), 2);
  EXPECT_EQ(rows(3), 4);
  EXPECT_EQ(rows(16), 16);
  EXPECT_EQ(rows(17), 20);
  EXPECT_EQ(rows(20), 20);
  EXPECT_EQ(rows(21), 32);
  EXPECT_EQ(rows(33), 64);
  EXPECT_EQ(why, "");
}

// Each bad call is refused in words, and the next good one is right.
TEST_F(Forwards, RefuseCallsThatDoNotFit) {
  const auto refused = [&](const std::string& word, auto&& plant) {
    Operands call = operands(20);
    plant(call);
    const std::string why = enqueue(call);
    EXPECT_NE(why.find(word), std::string::npos) << why << " has no: " << word;
    EXPECT_EQ(y_after([&] { EXPECT_EQ(enqueue(operands(20)), ""); }), y_of(layer_, 20));
  };
  refused("x does not fit: 71 rows", [](Operands& o) { o.m = 71; });
  refused("not below 2^31", [](Operands& o) { o.m = kMaxExtent + 1; });
  refused("not below 2^31", [](Operands& o) { o.m = INT64_MAX; });
  refused("x has no buffer", [](Operands& o) { o.x = nullptr; });
  refused("off_y is -1", [](Operands& o) { o.off_y = -1; });
  refused("ld_x is 36", [](Operands& o) { o.ld_x = 36; });
  refused("y does not fit", [](Operands& o) { o.ld_y = INT64_MAX; });
  Problem other = shape_;
  other.rank = 2;
  Weights theirs(test_engine().context(), other, layer_.a.data(), layer_.b.data());
  EXPECT_NE(forward_.enqueue(queue_.get(), theirs, operands(20)).find("another shape"),
            std::string::npos);
  other.rank = 0;
  EXPECT_THROW(Forward(test_engine(), dispatcher_, other), std::invalid_argument);
}

TEST_F(Forwards, GiveAnEventForEachCommand) {
  std::vector<cl_event> events;
  EXPECT_EQ(forward_.enqueue(queue_.get(), weights_, operands(3), &events), "");
  std::string why;
  EXPECT_EQ(events.size(), forward_.executable(3, why)->plan().launches.size());
  for (const cl_event event : events) clReleaseEvent(event);
}

// Weights in layouts of several plans, all of which an update must reach.
TEST_F(Forwards, RunUpdatedWeights) {
  for (const std::int64_t m : {1, 20, 64}) ASSERT_EQ(enqueue(operands(m)), "");
  const Layer trained(shape_, 2);
  std::vector<cl_mem> before;
  const auto buffers = [&] {
    std::vector<cl_mem> all;
    std::string why;
    for (const std::int64_t m : {1, 20, 64}) {
      const auto [a, b] = weights_.buffers(queue_.get(), forward_.executable(m, why)->plan());
      all.insert(all.end(), {a, b});
    }
    return all;
  };
  before = buffers();
  weights_.update(queue_.get(), trained.a.data(), trained.b.data());
  EXPECT_EQ(buffers(), before) << "no new buffers";
  for (const std::int64_t m : {1, 20, 64}) {
    EXPECT_EQ(y_after([&] { EXPECT_EQ(enqueue(operands(m)), ""); }), y_of(trained, m)) << m;
  }
  EXPECT_THROW(weights_.update(queue_.get(), nullptr, trained.b.data()), std::invalid_argument);
  EXPECT_EQ(y_after([&] { EXPECT_EQ(enqueue(operands(20)), ""); }), y_of(trained, 20));
}

// x, y and the weights of every layout in one buffer, as runtimes that allocate once have them.
TEST_F(Forwards, TakeAllOperandsFromOneBuffer) {
  const std::int64_t floats = 1 << 20;
  const Handle<cl_mem> arena =
      make_buffer(test_engine().context(), static_cast<std::size_t>(floats * 4));
  fill_buffer(queue_.get(), arena.get(), 1.0F, static_cast<std::size_t>(floats * 4));
  const std::int64_t off_x = 5;
  const std::int64_t off_y = 4001;
  write_buffer(queue_.get(), arena.get(), off_x * 4, x_.size() * 4, x_.data());
  weights_.use_arena(arena.get(), 40004, (floats - 20000) * 4);
  for (const std::int64_t m : {1, 20, 64, 70}) {
    Operands call = operands(m);
    call.x = call.y = arena.get();
    call.off_x = off_x;
    call.off_y = off_y;
    EXPECT_EQ(enqueue(call), "");
    Values y(static_cast<std::size_t>((kMost + 1) * shape_.n));
    read_buffer(queue_.get(), arena.get(), off_y * 4, y.size() * 4, y.data());
    EXPECT_EQ(y, y_of(layer_, m)) << m;
    fill_buffer(queue_.get(), arena.get(), 1.0F, static_cast<std::size_t>(20000));
    write_buffer(queue_.get(), arena.get(), off_x * 4, x_.size() * 4, x_.data());
    const Values ones(y.size(), 1);
    write_buffer(queue_.get(), arena.get(), off_y * 4, ones.size() * 4, ones.data());
  }
}

// The plan for one buffer, of every variant that has one: right there, and refused elsewhere.
TEST_F(Rows, OfOneBufferTakeNoOther) {
  const DeviceInfo& device = test_engine().info();
  const std::int64_t floats = 1 << 18;
  const Handle<cl_mem> arena =
      make_buffer(test_engine().context(), static_cast<std::size_t>(floats * 4));
  int tried = 0;
  for (const Variant* variant : variants()) {
    if (!variant->supports(shape_, device)) continue;
    const LaunchPlan plan =
        in_one_buffer(variant->plan(shape_, variant->default_config(shape_, device), device));
    if (!takes_arena(plan)) continue;
    ++tried;
    const Built built = test_engine().build(shape_, plan);
    ASSERT_TRUE(built.executable) << variant->name << ": " << built.detail;
    Weights weights(test_engine().context(), shape_, layer_.a.data(), layer_.b.data());
    weights.use_arena(arena.get(), 40000, floats * 4 - 40000);
    Operands call = operands(20);
    weights.set(queue_.get(), plan, call);
    EXPECT_THROW(built.executable->enqueue(queue_.get(), call), std::invalid_argument)
        << "x and y have buffers of their own";
    call.x = call.y = arena.get();
    constexpr std::size_t kFirstX = 3, kFirstY = 4001;
    call.off_x = kFirstX;
    call.off_y = kFirstY;
    const Values ones(static_cast<std::size_t>((kMost + 1) * shape_.n), 1);
    write_buffer(queue_.get(), arena.get(), kFirstX * 4, x_.size() * 4, x_.data());
    write_buffer(queue_.get(), arena.get(), kFirstY * 4, ones.size() * 4, ones.data());
    built.executable->enqueue(queue_.get(), call);
    Values y(ones.size());
    read_buffer(queue_.get(), arena.get(), kFirstY * 4, y.size() * 4, y.data());
    EXPECT_EQ(y, y_of(layer_, 20)) << variant->name;
  }
  EXPECT_GT(tried, 2);
}

// Kernels without Role::off_a begin at the beginning of their buffer: so are those for tensor
// cores.
TEST_F(Forwards, KeepsWeightsOutOfAnArenaWhereKernelsTakeNoOffset) {
  const Choice choice = default_choice(shape_of(4), test_engine().info());
  LaunchPlan plan = choice.variant->plan(shape_of(4), choice.config, test_engine().info());
  ASSERT_TRUE(places_weights(plan));
  Operands call = operands(4);
  weights_.set(queue_.get(), plan, call);
  call.off_a = kWeightsAlign / 4;
  const std::string anywhere = invalid_reason(shape_of(4), plan, call);
  EXPECT_EQ(anywhere.find("beginning"), std::string::npos) << anywhere;
  for (Launch& launch : plan.launches) {
    std::erase_if(launch.args, [](const Arg& arg) { return arg.role == Role::off_a; });
  }
  ASSERT_FALSE(places_weights(plan));
  const std::string why = invalid_reason(shape_of(4), plan, call);
  EXPECT_NE(why.find("beginning"), std::string::npos) << why;

  const Handle<cl_mem> arena = make_buffer(test_engine().context(), 1 << 20);
  weights_.use_arena(arena.get(), 0, 1 << 20);
  weights_.set(queue_.get(), plan, call);
  EXPECT_NE(call.a, arena.get());
  EXPECT_EQ(call.off_a, 0);
  EXPECT_EQ(invalid_reason(shape_of(4), plan, call), "");
}

TEST_F(Rows, OfAnArenaMayLieBesideOneAnother) {
  // Rows of 37 of x and 29 of y in turn.
  const Handle<cl_mem> both = test_buffer(Values(66 * 4, 1));
  const Choice choice = default_choice(shape_of(4), test_engine().info());
  const LaunchPlan plan = choice.variant->plan(shape_of(4), choice.config, test_engine().info());
  Operands call = operands(4);
  weights_.set(queue_.get(), plan, call);
  call.x = call.y = both.get();
  call.ld_x = call.ld_y = 66;
  call.off_y = 37;
  EXPECT_EQ(invalid_reason(shape_of(4), plan, call), "");
  call.off_y = 36;
  EXPECT_EQ(invalid_reason(shape_of(4), plan, call), "x and y overlap");
  call.ld_y = 65;
  call.off_y = 37;
  EXPECT_EQ(invalid_reason(shape_of(4), plan, call), "x and y overlap");
}

// A part of a buffer shares bytes with that buffer and with its other parts.
TEST_F(Rows, OfPartsOfOneBufferDoNotOverlap) {
  const Choice choice = default_choice(shape_of(4), test_engine().info());
  const LaunchPlan plan = choice.variant->plan(shape_of(4), choice.config, test_engine().info());
  const Handle<cl_mem> whole = make_buffer(test_engine().context(), 65536);
  const Handle<cl_mem> first = part_of(whole.get(), 0, 4096);
  const Handle<cl_mem> second = part_of(whole.get(), 4096, 4096);
  const Handle<cl_mem> both = part_of(whole.get(), 0, 8192);
  weights_.use_arena(whole.get(), 8192, 57344);
  Operands call = operands(4);
  weights_.set(queue_.get(), plan, call);
  const auto reason = [&](cl_mem x, cl_mem y, std::int64_t off_y) {
    call.x = x;
    call.y = y;
    call.off_y = off_y;
    return invalid_reason(shape_of(4), plan, call);
  };
  EXPECT_EQ(reason(first.get(), second.get(), 0), "");
  EXPECT_EQ(reason(second.get(), first.get(), 0), "");
  EXPECT_EQ(reason(second.get(), whole.get(), 0), "");
  EXPECT_EQ(reason(second.get(), whole.get(), 1030), "x and y overlap");
  EXPECT_EQ(reason(whole.get(), first.get(), 0), "x and y overlap");
  EXPECT_EQ(reason(first.get(), both.get(), 100), "x and y overlap");
  EXPECT_EQ(reason(first.get(), both.get(), 1024), "");
  const Handle<cl_mem> behind = part_of(whole.get(), 4096, 61440);
  EXPECT_EQ(reason(first.get(), behind.get(), 1024), "y and weights overlap");
}

// A plan with weights in one buffer and one with two.
TEST_F(Rows, ComeWithWeightsThatStandInAnArena) {
  const DeviceInfo& device = test_engine().info();
  for (const char* name : {"naive", "split", "tiled"}) {
    const Variant& variant = *find_variant(name);
    const LaunchPlan plan = variant.plan(shape_, variant.default_config(shape_, device), device);
    const Built built = test_engine().build(shape_, plan);
    ASSERT_TRUE(built.executable) << built.detail;
    Weights weights(test_engine().context(), shape_, layer_.a.data(), layer_.b.data());
    const std::int64_t bytes = weights.bytes_of(plan);
    const Handle<cl_mem> arena =
        make_buffer(test_engine().context(), static_cast<std::size_t>(256 + bytes));
    weights.use_arena(arena.get(), 100, 28 + bytes);  // which begins at 128
    Operands call = operands(20);
    weights.set(queue_.get(), plan, call);
    EXPECT_EQ(call.a, arena.get());
    EXPECT_EQ(call.off_a, 32);
    EXPECT_EQ(y_after([&] { built.executable->enqueue(queue_.get(), call); }), y_of(layer_, 20));
    call.weights_of.reset();
    EXPECT_NE(invalid_reason(shape_, plan, call), "") << "nobody says what stands there";
    Weights late(test_engine().context(), shape_, layer_.a.data(), layer_.b.data());
    late.use_arena(arena.get(), 100, 27 + bytes);
    EXPECT_THROW(late.set(queue_.get(), plan, call), std::invalid_argument) << "it is full";
    EXPECT_THROW(late.use_arena(arena.get(), 0, 257 + bytes), std::invalid_argument);
    EXPECT_THROW(late.use_arena(arena.get(), -1, 1), std::invalid_argument);
    EXPECT_THROW(late.use_arena(nullptr, 0, 1), std::invalid_argument);
  }
}

// Each thread has a Forward and a queue; engine, dispatcher and weights are shared.
TEST_F(Forwards, OfManyThreadsShareAnEngineAndWeights) {
  std::vector<std::string> wrong(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const Handle<cl_command_queue> queue = test_queue();
      Forward forward(test_engine(), dispatcher_, shape_);
      for (std::int64_t turn = 0; turn < 8 && wrong[t].empty(); ++turn) {
        const std::int64_t m = 1 + (turn * 11 + static_cast<std::int64_t>(t)) % kMost;
        Values y(static_cast<std::size_t>(m * shape_.n), 1);
        const Handle<cl_mem> buffer = test_buffer(y);
        Operands call = operands(m);
        call.y = buffer.get();
        wrong[t] = forward.enqueue(queue.get(), weights_, call);
        read_buffer(queue.get(), buffer.get(), 0, y.size() * sizeof(float), y.data());
        if (y != expected(shape_, layer_, x_, m)) wrong[t] += "m " + std::to_string(m);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& complaint : wrong) EXPECT_EQ(complaint, "");
}

}  // namespace
}  // namespace loratune
