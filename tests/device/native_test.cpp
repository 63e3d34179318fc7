// Launches that are functions of the process: in the queue's order, and refused where the plan is
// not what the function takes. The matrix has what they compute.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "test_engine.h"

namespace loratune {
namespace {

// The variant whose launches are native; nullptr where the device runs none.
const Variant* native_variant(const Problem& problem) {
  for (const Variant* variant : variants()) {
    if (!variant->supports(problem, test_engine().info())) continue;
    const Config config = variant->default_config(problem, test_engine().info());
    const LaunchPlan plan = variant->plan(problem, config, test_engine().info());
    if (!plan.launches.empty() && plan.launches[0].native) return variant;
  }
  return nullptr;
}

class Native : public testing::Test {
 protected:
  Native() {
    problem_.m = 3;
    problem_.k = 4;
    problem_.n = 5;
    problem_.rank = 1;
    const Variant* variant = native_variant(problem_);
    if (variant == nullptr) return;
    const DeviceInfo& device = test_engine().info();
    plan_ = variant->plan(problem_, variant->default_config(problem_, device), device);
  }

  void SetUp() override { ASSERT_FALSE(plan_.launches.empty()) << "PoCL runs native kernels"; }

  Problem problem_;
  LaunchPlan plan_;
};

TEST_F(Native, RunsInTheOrderOfTheQueueAndGivesAnEvent) {
  const std::vector<float> ones(20, 1);
  Weights weights(test_engine().context(), problem_, ones.data(), ones.data());
  const Handle<cl_command_queue> queue = test_queue();
  const Handle<cl_mem> x = test_buffer(ones);
  const Handle<cl_mem> y = test_buffer(ones);
  const Built built = test_engine().build(problem_, plan_);
  ASSERT_TRUE(built.executable) << built.detail;
  Operands operands;
  operands.x = x.get();
  operands.y = y.get();
  operands.scale = 2;
  weights.set(queue.get(), built.executable->plan(), operands);
  std::vector<cl_event> events;
  for (int round = 1; round <= 50; ++round) {
    // y is filled before each run and read behind it: y = round + 2 * (1 * 4) * 1.
    fill_buffer(queue.get(), y.get(), static_cast<float>(round), 15 * sizeof(float));
    built.executable->enqueue(queue.get(), operands, &events);
    std::vector<float> got(15);
    read_buffer(queue.get(), y.get(), 0, got.size() * sizeof(float), got.data());
    ASSERT_EQ(got, std::vector<float>(15, static_cast<float>(round + 8)));
  }
  ASSERT_EQ(events.size(), 50U);
  for (cl_event event : events) {
    cl_int status = -1;
    clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr);
    EXPECT_EQ(status, CL_COMPLETE);
    clReleaseEvent(event);
  }
}

// A driver may hand the buffers of one command out in the order in which they were made, and one
// that is given twice only once.
TEST_F(Native, TakesBuffersThatWereMadeInAnyOrderAndOneForAll) {
  const std::vector<float> ones(2000, 1);
  const std::vector<float> twos(2000, 2);
  const Handle<cl_command_queue> queue = test_queue();
  const Built built = test_engine().build(problem_, plan_);
  ASSERT_TRUE(built.executable) << built.detail;
  const std::vector<float> expected(15, 1 + 2 * 1 * 2 * 4);  // y + scale * a * b * x * k
  for (const bool weights_first : {false, true}) {
    for (const bool y_first : {false, true}) {
      Weights weights(test_engine().context(), problem_, ones.data(), ones.data());
      Operands operands;
      if (weights_first) weights.set(queue.get(), plan_, operands);
      const Handle<cl_mem> first = test_buffer(y_first ? ones : twos);
      const Handle<cl_mem> second = test_buffer(y_first ? twos : ones);
      operands.x = y_first ? second.get() : first.get();
      operands.y = y_first ? first.get() : second.get();
      operands.scale = 2;
      weights.set(queue.get(), plan_, operands);
      built.executable->enqueue(queue.get(), operands);
      std::vector<float> got(15);
      read_buffer(queue.get(), operands.y, 0, got.size() * sizeof(float), got.data());
      EXPECT_EQ(got, expected) << weights_first << y_first;
    }
  }
  const Handle<cl_mem> arena = test_buffer(twos);
  Weights weights(test_engine().context(), problem_, ones.data(), ones.data());
  weights.use_arena(arena.get(), 4000, 4000);
  Operands operands;
  operands.x = operands.y = arena.get();
  operands.off_y = 20;
  operands.scale = 2;
  weights.set(queue.get(), plan_, operands);
  write_buffer(queue.get(), arena.get(), 80, 15 * sizeof(float), ones.data());
  built.executable->enqueue(queue.get(), operands);
  std::vector<float> got(15);
  read_buffer(queue.get(), arena.get(), 80, got.size() * sizeof(float), got.data());
  EXPECT_EQ(got, expected);
}

// Whoever enqueues may let go of the buffers at once, and what is allocated next may take their
// place.
TEST_F(Native, ReadsBuffersThatAreReleasedBeforeItRuns) {
  problem_.m = 64;
  problem_.k = 1024;
  const Variant* variant = native_variant(problem_);
  ASSERT_NE(variant, nullptr);
  const DeviceInfo& device = test_engine().info();
  const LaunchPlan plan =
      variant->plan(problem_, variant->default_config(problem_, device), device);
  const Handle<cl_command_queue> queue = test_queue();
  const Built built = test_engine().build(problem_, plan);
  ASSERT_TRUE(built.executable) << built.detail;
  const std::vector<float> ones(static_cast<std::size_t>(problem_.m * problem_.k), 1);
  std::vector<float> got(static_cast<std::size_t>(problem_.m * problem_.n), 1);
  const Handle<cl_mem> y = test_buffer(got);
  for (int round = 0; round < 3; ++round) {
    cl_int status = CL_SUCCESS;
    const Handle<cl_event> gate(clCreateUserEvent(test_engine().context(), &status));
    ASSERT_EQ(status, CL_SUCCESS);
    Handle<cl_mem> x = test_buffer(ones);
    std::optional<Weights> weights;
    weights.emplace(test_engine().context(), problem_, ones.data(), ones.data());
    Operands operands;
    operands.x = x.get();
    operands.y = y.get();
    weights->set(queue.get(), plan, operands);
    const cl_event waits = gate.get();
    built.executable->enqueue(queue.get(), operands, Sync{{&waits, 1}, nullptr});
    x.reset();
    weights.reset();
    std::vector<Handle<cl_mem>> others;
    for (const std::size_t count : {ones.size(), ones.size() / 64, ones.size() / 32}) {
      others.push_back(test_buffer(std::vector<float>(count, 7)));
      others.push_back(test_buffer(std::vector<float>(count, 7)));
    }
    ASSERT_EQ(clSetUserEventStatus(gate.get(), CL_COMPLETE), CL_SUCCESS);
    read_buffer(queue.get(), y.get(), 0, got.size() * sizeof(float), got.data());
    const auto expected = static_cast<float>(1 + 1024 * (round + 1));
    ASSERT_EQ(got, std::vector<float>(got.size(), expected)) << round;
  }
}

// A driver may hand out the address of the buffer that a part belongs to.
TEST_F(Native, TakesPartsOfBuffers) {
  const std::vector<float> ones(4096, 1);
  const std::vector<float> twos(2048, 2);
  const Handle<cl_command_queue> queue = test_queue();
  const Built built = test_engine().build(problem_, plan_);
  ASSERT_TRUE(built.executable) << built.detail;
  constexpr std::size_t kPage = 4096;
  const Handle<cl_mem> all = test_buffer(ones);
  write_buffer(queue.get(), all.get(), kPage, kPage, twos.data());  // where x stands
  const Handle<cl_mem> x = part_of(all.get(), kPage, kPage);
  const Handle<cl_mem> y = part_of(all.get(), 2 * kPage, kPage);
  const Handle<cl_mem> arena = part_of(all.get(), 3 * kPage, kPage);
  Weights weights(test_engine().context(), problem_, ones.data(), ones.data());
  weights.use_arena(arena.get(), 256, static_cast<std::int64_t>(kPage) - 256);
  Operands operands;
  operands.x = x.get();
  operands.off_x = 5;
  operands.y = y.get();
  operands.off_y = 3;
  operands.scale = 2;
  weights.set(queue.get(), plan_, operands);
  built.executable->enqueue(queue.get(), operands);
  std::vector<float> got(3 * kPage / sizeof(float));
  read_buffer(queue.get(), all.get(), 0, 3 * kPage, got.data());
  std::vector<float> expected(got.size(), 1);
  std::fill_n(expected.begin() + 1024, 1024, 2.0F);
  std::fill_n(expected.begin() + 2048 + 3, 15, static_cast<float>(1 + 2 * 1 * 2 * 4));
  EXPECT_EQ(got, expected);
}

TEST_F(Native, IsRefusedWhereThePlanIsNotWhatTheFunctionTakes) {
  const auto refusal = [&](auto change) {
    LaunchPlan plan = plan_;
    change(plan);
    const Built built = test_engine().build(problem_, plan);
    EXPECT_EQ(built.executable, nullptr);
    return built.detail;
  };
  const std::string arguments = "with such arguments";
  const auto launch = [](LaunchPlan& plan) -> Launch& { return plan.launches[0]; };
  for (const std::string& said :
       {refusal([&](LaunchPlan& p) { launch(p).kernel = "other"; }),
        refusal([&](LaunchPlan& p) { launch(p).one_struct = false; }),
        refusal([&](LaunchPlan& p) { launch(p).args.pop_back(); }),
        refusal([&](LaunchPlan& p) { std::swap(launch(p).args[0], launch(p).args[2]); }),
        refusal([&](LaunchPlan& p) { launch(p).args[14].value = 0; }),
        refusal([&](LaunchPlan& p) { launch(p).args[14].value = 5000; }),
        refusal([&](LaunchPlan& p) { launch(p).args[15].value = 1; })}) {
    EXPECT_NE(said.find(arguments), std::string::npos) << said;
  }
  const std::string packed = refusal([](LaunchPlan& p) { p.a.tile = 8; });
  EXPECT_NE(packed.find("not packed"), std::string::npos) << packed;
}

}  // namespace
}  // namespace loratune
