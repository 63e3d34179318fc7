// One executable, run with operands that change between the runs: a number that is not set again
// must be one that has not changed, and a buffer is always set.
#include "loratune/engine/engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "test_engine.h"

namespace loratune {
namespace {

// m = n = 2, k = rank = 1, so y[i][j] += scale * x[i] * a * b[j], all exact.
class Executables : public testing::Test {
 protected:
  Executables() {
    problem_.m = problem_.n = 2;
    problem_.k = problem_.rank = 1;
    problem_.dtype = Dtype::f32;
    set_x({1, 2, 3, 4});
    set_y({0, 0, 0, 0, 0, 0, 0, 0});
    operands_.ld_x = 1;
    operands_.ld_y = 2;
    const Choice choice = default_choice(problem_, test_engine().info());
    use(choice.variant->plan(problem_, choice.config, test_engine().info()));
  }

  void use(const LaunchPlan& plan) {
    Built built = test_engine().build(problem_, plan);
    ASSERT_EQ(built.outcome, Outcome::correct) << built.detail;
    executable_ = std::move(built.executable);
    set_weights(1);
  }

  void set_x(const std::vector<float>& values) {
    x_ = test_buffer(values);
    operands_.x = x_.get();
  }
  void set_y(const std::vector<float>& values) {
    y_ = test_buffer(values);
    operands_.y = y_.get();
  }
  void set_weights(float a) {
    const float b[] = {1, 10};
    set_weights(Weights(test_engine().context(), problem_, &a, b));
  }
  void set_weights(Weights weights) {
    weights_ = std::move(weights);
    weights_->set(queue_.get(), executable_->plan(), operands_);
  }
  // y after a run that began with zeros.
  std::vector<float> run() {
    std::vector<float> y(8, 0);
    write_buffer(queue_.get(), operands_.y, 0, 8 * sizeof(float), y.data());
    executable_->enqueue(queue_.get(), operands_);
    read_buffer(queue_.get(), operands_.y, 0, 8 * sizeof(float), y.data());
    return y;
  }

  using Values = std::vector<float>;
  Problem problem_;
  Handle<cl_command_queue> queue_ = test_queue();
  std::unique_ptr<Executable> executable_;
  std::optional<Weights> weights_;
  Handle<cl_mem> x_, y_;
  Operands operands_;
};

// Variants whose numbers are arguments of their own, and whose are one struct.
class ChangingOperands : public Executables, public testing::WithParamInterface<const char*> {};

TEST_P(ChangingOperands, AreFollowed) {
  const Variant& variant = *find_variant(GetParam());
  const DeviceInfo& device = test_engine().info();
  use(variant.plan(problem_, variant.default_config(problem_, device), device));
  const Values first = {1, 10, 2, 20, 0, 0, 0, 0};
  EXPECT_EQ(run(), first);
  EXPECT_EQ(run(), first);
  operands_.scale = 2;
  EXPECT_EQ(run(), (Values{2, 20, 4, 40, 0, 0, 0, 0}));
  operands_.off_x = 1;
  EXPECT_EQ(run(), (Values{4, 40, 6, 60, 0, 0, 0, 0}));
  operands_.ld_x = 2;
  EXPECT_EQ(run(), (Values{4, 40, 8, 80, 0, 0, 0, 0}));
  operands_.off_y = 1;
  EXPECT_EQ(run(), (Values{0, 4, 40, 8, 80, 0, 0, 0}));
  operands_.ld_y = 4;
  EXPECT_EQ(run(), (Values{0, 4, 40, 0, 0, 8, 80, 0}));
  set_x({0, 5, 0, 6});
  EXPECT_EQ(run(), (Values{0, 10, 100, 0, 0, 12, 120, 0}));
  set_weights(3);
  EXPECT_EQ(run(), (Values{0, 30, 300, 0, 0, 36, 360, 0}));
  set_y({0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(run(), (Values{0, 30, 300, 0, 0, 36, 360, 0}));
}

INSTANTIATE_TEST_SUITE_P(Variants, ChangingOperands, testing::Values("naive", "split", "tiled"),
                         [](const auto& one) { return std::string(one.param); });

// x[0] y[0..3]: what stands where in a struct of numbers of several sizes.
TEST_F(Executables, LayTheNumbersOfAStructOutByTheirSizes) {
  LaunchPlan plan;
  plan.source = R"CL(
    typedef struct { int m; long off_y; float scale; int five; long ld_y; int n; } Call;
    kernel void show(global float* y, Call call, local float* unused) {
      y[0] = call.m; y[1] = call.off_y; y[2] = call.scale; y[3] = call.five; y[4] = call.ld_y;
      y[5] = call.n;
    })CL";
  plan.launches.push_back({"show", 1, {1, 1, 1}, {1, 1, 1}, {}, true});
  plan.launches[0].args = {{Role::y},      {Role::m},    {Role::off_y}, {Role::scale},
                           {Role::i32, 5}, {Role::ld_y}, {Role::n},     {Role::local, 4}};
  use(plan);
  operands_.off_y = 4;
  operands_.scale = 0.5F;
  EXPECT_EQ(run(), (Values{2, 4, 0.5F, 5, 2, 2, 0, 0}));
}

TEST_F(Executables, AreNotBuiltWithMoreNumbersThanAStructHolds) {
  LaunchPlan plan;
  plan.source = "kernel void none(global float* y) {}";
  plan.launches.push_back({"none", 1, {1, 1, 1}, {1, 1, 1}, {{Role::y}}, true});
  plan.launches[0].args.resize(97, {Role::i32, 1});
  EXPECT_EQ(test_engine().build(problem_, plan).outcome, Outcome::correct);
  plan.launches[0].args.push_back({Role::i32, 1});
  EXPECT_EQ(test_engine().build(problem_, plan).outcome, Outcome::constraints);
}

TEST_F(Executables, TakeAPitchOfZeroAsDense) {
  const Values dense = run();
  operands_.ld_x = operands_.ld_y = 0;
  EXPECT_EQ(run(), dense);
  operands_.off_x = 2;
  EXPECT_EQ(run(), (Values{3, 30, 4, 40, 0, 0, 0, 0}));
}

// x has 4 elements and y 8, of 2 rows each; what is wrong, and a word that names it.
TEST_F(Executables, RefuseOperandsThatDoNotFit) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const Operands sound = operands_;
  const Values first = run();
  const auto refused = [&](const char* word, auto&& plant) {
    operands_ = sound;
    plant(operands_);
    for (const bool fresh : {false, true}) {
      if (fresh) executable_ = test_engine().build(problem_, executable_->plan()).executable;
      std::vector<cl_event> events;
      try {
        executable_->enqueue(queue_.get(), operands_, &events);
        ADD_FAILURE() << "was run: " << word;
        finish(queue_.get());
      } catch (const std::invalid_argument& error) {
        EXPECT_EQ(std::string(error.what()).rfind("operands: ", 0), 0U) << error.what();
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
      }
      EXPECT_TRUE(events.empty()) << word;
      EXPECT_FALSE(invalid_reason(problem_, executable_->plan(), operands_).empty()) << word;
    }
    operands_ = sound;
    EXPECT_EQ(run(), first) << "after: " << word;
  };
  refused("x has no buffer", [](Operands& o) { o.x = {}; });
  refused("y has no buffer", [](Operands& o) { o.y = {}; });
  refused("m is 3, the plan is for up to 2", [](Operands& o) { o.m = 3; });
  refused("m is 9223372036854775807", [&](Operands& o) { o.m = huge; });
  refused("off_a is 1 elements", [](Operands& o) { o.off_a = 1; });
  refused("off_a is -32, before", [](Operands& o) { o.off_a = -32; });
  refused("from offset 32 on", [](Operands& o) { o.off_a = 32; });
  refused("from offset", [&](Operands& o) { o.off_a = huge / 32 * 32; });
  refused("x and y overlap", [](Operands& o) { o.x = o.y; });
  refused("x and y overlap", [](Operands& o) { o.x = o.y, o.off_x = 3; });
  refused("x and y overlap", [](Operands& o) { o.x = o.y, o.ld_x = 6, o.off_x = 1; });
  refused("y and weights overlap", [](Operands& o) { o.y = o.a; });
  refused("a", [](Operands& o) { o.a = {}; });
  if (operands_.b != nullptr) refused("b has no buffer", [](Operands& o) { o.b = {}; });
  refused("ld_y is 1", [](Operands& o) { o.ld_y = 1; });
  refused("ld_x is -1", [](Operands& o) { o.ld_x = -1; });
  refused("off_x is -1", [](Operands& o) { o.off_x = -1; });
  refused("off_y is -1", [](Operands& o) { o.off_y = -1; });
  refused("offset 3", [](Operands& o) { o.off_x = 3; });
  refused("offset 5", [](Operands& o) { o.off_y = 5; });
  refused("pitch 4", [](Operands& o) { o.ld_x = 4; });
  refused("pitch 7", [](Operands& o) { o.ld_y = 7; });
  refused("offset 9223372036854775807", [&](Operands& o) { o.off_x = huge; });
  refused("pitch 9223372036854775807", [&](Operands& o) { o.ld_y = huge; });
  const Handle<cl_mem> small = test_buffer(Values{1});
  refused("its buffer holds 1", [&](Operands& o) { o.x = small.get(); });
}

TEST_F(Executables, TakeTheLastPlaceInABuffer) {
  operands_.off_x = 2;
  operands_.off_y = 4;
  EXPECT_EQ(run(), (Values{0, 0, 0, 0, 3, 30, 4, 40}));
  operands_.off_x = operands_.off_y = 0;
  operands_.ld_x = 3;
  operands_.ld_y = 6;
  EXPECT_EQ(run(), (Values{1, 10, 0, 0, 0, 0, 4, 40}));
}

// One that joins its weights and one that does not.
class OtherWeights : public Executables, public testing::WithParamInterface<const char*> {};

TEST_P(OtherWeights, AreRefused) {
  const Variant& variant = *find_variant(GetParam());
  const DeviceInfo& device = test_engine().info();
  use(variant.plan(problem_, variant.default_config(problem_, device), device));
  const std::vector<float> values(64, 1);
  const Operands sound = operands_;
  const auto refused = [&](auto&& plant) {
    Problem other = problem_;
    plant(other);
    Weights weights(test_engine().context(), other, values.data(), values.data());
    const auto why = [](auto&& what) -> std::string {
      try {
        what();
      } catch (const std::invalid_argument& error) {
        return error.what();
      }
      return "was accepted";
    };
    const std::string named = "another shape, that of " + to_string(other);
    // By the weights, which know the plan's problem, and by the operands, which know the weights'.
    std::string said = why([&] { weights.set(queue_.get(), executable_->plan(), operands_); });
    EXPECT_NE(said.find(named), std::string::npos) << said;
    const LaunchPlan theirs = variant.plan(other, variant.default_config(other, device), device);
    weights.set(queue_.get(), theirs, operands_);
    said = why([&] { executable_->enqueue(queue_.get(), operands_); });
    EXPECT_NE(said.find(named), std::string::npos) << said;
    operands_ = sound;
  };
  refused([](Problem& p) { p.rank = 2; });
  refused([](Problem& p) { p.n = 40; });
  refused([](Problem& p) { p.k = 40; });
  refused([](Problem& p) { p.dtype = Dtype::f16; });
  refused([](Problem& p) { p.weights = Dtype::bf16; });
  refused([](Problem& p) { std::swap(p.k, p.n); });  // as many elements
  EXPECT_THROW(Weights(test_engine().context(), problem_, nullptr, values.data()),
               std::invalid_argument);
  EXPECT_THROW(Weights(test_engine().context(), problem_, values.data(), nullptr),
               std::invalid_argument);
  set_weights(1);
  EXPECT_EQ(run(), (Values{1, 10, 2, 20, 0, 0, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(Variants, OtherWeights, testing::Values("naive", "split"),
                         [](const auto& one) { return std::string(one.param); });

TEST_F(Executables, AreNotBuiltOfAPlanForAnotherProblem) {
  Problem other = problem_;
  other.m = 1;
  const DeviceInfo& device = test_engine().info();
  for (const Variant* variant : variants()) {
    if (!variant->supports(other, device)) continue;
    const LaunchPlan theirs = variant->plan(other, variant->default_config(other, device), device);
    const Built built = test_engine().build(problem_, theirs);
    EXPECT_EQ(built.outcome, Outcome::compile) << variant->name;
    EXPECT_EQ(built.detail,
              "plan: it was made for " + to_string(other) + ", not for " + to_string(problem_))
        << variant->name;
  }
  LaunchPlan plan = executable_->plan();
  plan.made_for.problem.reset();
  EXPECT_EQ(plan, executable_->plan()) << "what it was made for is no part of what it does";
  Built built = test_engine().build(problem_, plan);
  EXPECT_EQ(built.outcome, Outcome::correct) << "a plan of a file does not say it";
  plan.launches[0].args.push_back({Role::scratch, 1});
  plan.scratch.resize(1);
  built = test_engine().build(problem_, plan);
  EXPECT_NE(built.detail.find("scratch buffer 1 of 1"), std::string::npos) << built.detail;
  Problem impossible = problem_;
  impossible.rank = 0;
  EXPECT_FALSE(test_engine().build(impossible, executable_->plan()).executable);
}

cl_uint references(cl_mem buffer) {
  cl_uint count = 0;
  EXPECT_EQ(clGetMemObjectInfo(buffer, CL_MEM_REFERENCE_COUNT, sizeof(count), &count, nullptr),
            CL_SUCCESS);
  return count;
}

cl_uint references(cl_context context) {
  cl_uint count = 0;
  EXPECT_EQ(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof(count), &count, nullptr),
            CL_SUCCESS);
  return count;
}

// The references once they are `expected`, else after ten seconds: PoCL gives back what a command
// held a moment after the command has ended.
template <class Object>
cl_uint references_in_the_end(Object object, cl_uint expected) {
  for (int i = 0; i < 10000 && references(object) != expected; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return references(object);
}

TEST_F(Executables, RetainNoBufferAfterTheCall) {
  const auto [x, y, a] =
      std::tuple(references(x_.get()), references(y_.get()), references(operands_.a));
  run();
  EXPECT_EQ(references_in_the_end(x_.get(), x), x);
  EXPECT_EQ(references_in_the_end(y_.get(), y), y);
  EXPECT_EQ(references_in_the_end(operands_.a, a), a);
}

// Buffers that are freed and made until one has the handle of another before it.
TEST_F(Executables, TakeAnotherBufferOfTheSameHandleForWhatItIs) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed memory back, so no handle comes twice";
#endif
  int same = 0;
  for (int turn = 0; turn < 50; ++turn) {
    const cl_mem before = operands_.x;
    x_.reset();
    const float first = static_cast<float>(turn);
    set_x({first, 2, 3, 4});
    same += operands_.x == before ? 1 : 0;
    EXPECT_EQ(run(), (Values{first, 10 * first, 2, 20, 0, 0, 0, 0}));
    const cl_mem large = operands_.x;
    x_.reset();
    set_x({1});
    same += operands_.x == large ? 1 : 0;
    EXPECT_THROW(executable_->enqueue(queue_.get(), operands_), std::invalid_argument);
  }
  if (same == 0 && test_engine().info().platform != "Portable Computing Language") {
    GTEST_SKIP() << "the driver gave no handle twice, so nothing was tried";
  }
  EXPECT_GT(same, 0) << "the driver gave no handle twice, so nothing was tried";
}

// The second launch of the plan that fails has another work-group than its kernel was compiled for.
TEST_F(Executables, GiveAnEventForEachCommandOrNone) {
  LaunchPlan plan;
  plan.source =
      "kernel void one(global float* y) { y[0] += 1; }"
      "__attribute__((reqd_work_group_size(2, 1, 1)))"
      "kernel void two(global float* y) { y[0] += 1; }";
  plan.launches.resize(2, {"one", 1, {1, 1, 1}, {1, 1, 1}, {{Role::y}}, false});
  plan.scratch = {{16, Zero::each_run}};
  use(plan);
  std::vector<cl_event> events;
  executable_->enqueue(queue_.get(), operands_, &events);
  EXPECT_EQ(events.size(), 3U) << "a fill and two launches";
  EXPECT_EQ(clWaitForEvents(3, events.data()), CL_SUCCESS);
  for (const cl_event event : events) EXPECT_EQ(clReleaseEvent(event), CL_SUCCESS);
  events.clear();
  plan.launches[1].kernel = "two";
  use(plan);
  EXPECT_THROW(executable_->enqueue(queue_.get(), operands_, &events), OpenclError);
  EXPECT_TRUE(events.empty());
  finish(queue_.get());
}

// A runtime has a context of its own before it has an engine.
TEST_F(Executables, RunInAContextOfTheCallers) {
  const Handle<cl_context> context = make_context(test_device().handle);
  const cl_uint before = references(context.get());
  {
    Engine engine(context.get(), test_device().handle);
    EXPECT_EQ(engine.context(), context.get());
    EXPECT_EQ(engine.device(), test_device().handle);
    EXPECT_EQ(engine.info(), test_device().info);
    EXPECT_GT(references(context.get()), before);
    const Handle<cl_command_queue> queue = make_queue(context.get(), test_device().handle);
    const Values values = {1, 2, 0, 0};
    const Handle<cl_mem> x = make_buffer(context.get(), 8, values.data());
    const Handle<cl_mem> y = make_buffer(context.get(), 16, values.data());
    const float a = 3;
    const float b[] = {1, 10};
    Weights weights(context.get(), problem_, &a, b);
    const Built built = engine.build(problem_, executable_->plan());
    ASSERT_TRUE(built.executable) << built.detail;
    Operands operands;
    operands.x = x.get();
    operands.y = y.get();
    std::tie(operands.a, operands.b) = weights.buffers(queue.get(), executable_->plan());
    built.executable->enqueue(queue.get(), operands);
    Values got(4);
    read_buffer(queue.get(), y.get(), 0, 16, got.data());
    EXPECT_EQ(got, (Values{4, 32, 6, 60}));
  }
  EXPECT_EQ(references_in_the_end(context.get(), before), before);
  EXPECT_THROW(Engine(context.get(), nullptr), std::invalid_argument);
  EXPECT_THROW(Engine(nullptr, test_device().handle), OpenclError);
}

}  // namespace
}  // namespace loratune
