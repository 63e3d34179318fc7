// One executable, run with operands that change between the runs: an argument that is not set again
// must be one that has not changed.
#include "loratune/engine/engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
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
    operands_.x = buffer({1, 2, 3, 4});
    operands_.y = buffer({0, 0, 0, 0, 0, 0, 0, 0});
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

  static cl::Buffer buffer(std::vector<float> values) {
    return {test_engine().context(), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
            values.size() * sizeof(float), values.data()};
  }
  void set_weights(float a) {
    const float b[] = {1, 10};
    Weights(test_engine().context(), problem_, &a, b).set(queue_, executable_->plan(), operands_);
  }
  // y after a run that began with zeros.
  std::vector<float> run() {
    std::vector<float> y(8, 0);
    queue_.enqueueWriteBuffer(operands_.y, CL_TRUE, 0, 8 * sizeof(float), y.data());
    executable_->enqueue(queue_, operands_);
    queue_.enqueueReadBuffer(operands_.y, CL_TRUE, 0, 8 * sizeof(float), y.data());
    return y;
  }

  using Values = std::vector<float>;
  Problem problem_;
  cl::CommandQueue queue_ = test_engine().make_queue();
  std::unique_ptr<Executable> executable_;
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
  operands_.x = buffer({0, 5, 0, 6});
  EXPECT_EQ(run(), (Values{0, 10, 100, 0, 0, 12, 120, 0}));
  set_weights(3);
  EXPECT_EQ(run(), (Values{0, 30, 300, 0, 0, 36, 360, 0}));
  operands_.y = buffer({0, 0, 0, 0, 0, 0, 0, 0});
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
  plan.launches[0].args.resize(33, {Role::i32, 1});
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
      std::vector<cl::Event> events;
      try {
        executable_->enqueue(queue_, operands_, &events);
        ADD_FAILURE() << "was run: " << word;
        queue_.finish();
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
  refused("a", [](Operands& o) { o.a = {}; });
  if (operands_.b() != nullptr) refused("b has no buffer", [](Operands& o) { o.b = {}; });
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
  refused("its buffer holds 1", [](Operands& o) { o.x = buffer({1}); });
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
    std::string said = why([&] { weights.set(queue_, executable_->plan(), operands_); });
    EXPECT_NE(said.find(named), std::string::npos) << said;
    const LaunchPlan theirs = variant.plan(other, variant.default_config(other, device), device);
    weights.set(queue_, theirs, operands_);
    said = why([&] { executable_->enqueue(queue_, operands_); });
    EXPECT_NE(said.find(named), std::string::npos) << said;
    operands_ = sound;
  };
  refused([](Problem& p) { p.rank = 2; });
  refused([](Problem& p) { p.n = 40; });
  refused([](Problem& p) { p.k = 40; });
  refused([](Problem& p) { p.dtype = Dtype::f16; });
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

// A run on one queue, held up, and another on a second queue: whether that one waits for the first.
class TwoQueues : public Executables {
 protected:
  bool second_waits(bool needs_residency) {
    const Choice choice = default_choice(problem_, test_engine().info());
    LaunchPlan plan = choice.variant->plan(problem_, choice.config, test_engine().info());
    plan.needs_residency = needs_residency;
    const auto first = test_engine().build(problem_, plan).executable;
    const auto second = test_engine().build(problem_, plan).executable;
    const cl::CommandQueue other = test_engine().make_queue();
    Operands theirs = operands_;
    theirs.y = buffer({0, 0, 0, 0});
    cl::UserEvent go(test_engine().context());
    const std::vector<cl::Event> held = {go};
    queue_.enqueueBarrierWithWaitList(&held);
    first->enqueue(queue_, operands_);
    queue_.flush();
    std::vector<cl::Event> events;
    second->enqueue(other, theirs, &events);
    other.flush();
    // Without the wait it is over within milliseconds.
    const auto done = [&] {
      return events.back().getInfo<CL_EVENT_COMMAND_EXECUTION_STATUS>() == CL_COMPLETE;
    };
    for (int i = 0; i < 100 && !done(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(needs_residency ? 2 : 50));
    }
    const bool waits = !done();
    go.setStatus(CL_COMPLETE);
    queue_.finish();
    other.finish();
    EXPECT_TRUE(done());
    Values y(4);
    other.enqueueReadBuffer(theirs.y, CL_TRUE, 0, 4 * sizeof(float), y.data());
    EXPECT_EQ(y, (Values{1, 10, 2, 20}));
    return waits;
  }
};

TEST_F(TwoQueues, RunOnlyOneAtATimeOfWhatMustBeResident) {
  EXPECT_TRUE(second_waits(true));
  EXPECT_FALSE(second_waits(false));
}

}  // namespace
}  // namespace loratune
