// Runs of plans that say needs_residency, on two queues of a device: whether the second waits for
// the first, which is held up.
#include "engine/internal/residency.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "test_engine.h"

namespace loratune {
namespace {

using Values = std::vector<float>;

// An engine, a queue and a product of ones: m = n = 2, k = rank = 1.
class Side {
 public:
  Side(Engine& engine, bool needs_residency)
      : engine_(engine), queue_(make_queue(engine.context(), engine.device())) {
    Problem problem;
    problem.m = problem.n = 2;
    problem.k = problem.rank = 1;
    const Choice choice = default_choice(problem, engine.info());
    LaunchPlan plan = choice.variant->plan(problem, choice.config, engine.info());
    plan.needs_residency = needs_residency;
    executable_ = engine.build(problem, plan).executable;
    const Values ones = {1, 1};
    weights_ = std::make_unique<Weights>(engine.context(), problem, ones.data(), ones.data());
    x_ = make_buffer(engine.context(), 8, ones.data());
    const Values zeros(4, 0);
    y_ = make_buffer(engine.context(), 16, zeros.data());
    operands_.x = x_.get();
    operands_.y = y_.get();
    weights_->set(queue(), plan, operands_);
  }

  cl_command_queue queue() const { return queue_.get(); }

  // Enqueues a run and tells of its end.
  Handle<cl_event> run() {
    std::vector<cl_event> events;
    executable_->enqueue(queue(), operands_, &events);
    flush(queue());
    for (std::size_t i = 0; i + 1 < events.size(); ++i) clReleaseEvent(events[i]);
    return Handle<cl_event>(events.back());
  }

  // Commands from now on wait for it.
  Handle<cl_event> hold() {
    Handle<cl_event> go(clCreateUserEvent(engine_.context(), nullptr));
    cl_event handle = go.get();
    EXPECT_EQ(clEnqueueBarrierWithWaitList(queue(), 1, &handle, nullptr), CL_SUCCESS);
    return go;
  }

  Values result() const {
    Values y(4);
    read_buffer(queue(), operands_.y, 0, 16, y.data());
    return y;
  }

 private:
  Engine& engine_;
  Handle<cl_command_queue> queue_;
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Weights> weights_;
  Handle<cl_mem> x_, y_;
  Operands operands_;
};

bool ended(cl_event event) {
  cl_int status = CL_QUEUED;
  EXPECT_EQ(
      clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, nullptr),
      CL_SUCCESS);
  return status == CL_COMPLETE;
}

// Whether it ends without the run that is held up: within milliseconds, or never.
bool ends(cl_event event, int patience_ms) {
  for (int i = 0; i < patience_ms && !ended(event); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ended(event);
}

bool second_waits(Engine& engine, bool needs_residency) {
  Side first(engine, needs_residency);
  Side second(engine, needs_residency);
  const Handle<cl_event> go = first.hold();
  const Handle<cl_event> first_end = first.run();
  const Handle<cl_event> second_end = second.run();
  const bool waits = !ends(second_end.get(), needs_residency ? 200 : 5000);
  EXPECT_EQ(clSetUserEventStatus(go.get(), CL_COMPLETE), CL_SUCCESS);
  finish(first.queue());
  finish(second.queue());
  EXPECT_TRUE(ended(second_end.get()));
  EXPECT_EQ(second.result(), (Values{1, 1, 1, 1}));
  return waits;
}

TEST(ResidencyTest, LetsOnlyOneRunAtATimeOnTheQueuesOfAnEngine) {
  EXPECT_TRUE(second_waits(test_engine(), true));
  EXPECT_FALSE(second_waits(test_engine(), false));
}

TEST(ResidencyTest, IsOneForEachDevice) {
  const std::shared_ptr<Residency> residency = Residency::of(test_device().handle);
  EXPECT_EQ(residency, Residency::of(test_device().handle));
  EXPECT_NE(residency, Residency::of(nullptr));
}

// Queues of two contexts cannot wait for each other's events: the second run's thread waits.
TEST(ResidencyTest, LetsOnlyOneRunAtATimeOfTwoEngines) {
  Engine other(test_device());
  Side first(test_engine(), true);
  Side second(other, true);
  const Handle<cl_event> go = first.hold();
  const Handle<cl_event> first_end = first.run();
  std::future<void> run = std::async(std::launch::async, [&] {
    const Handle<cl_event> end = second.run();
    finish(second.queue());
    EXPECT_TRUE(ended(first_end.get()));
  });
  EXPECT_EQ(run.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(clSetUserEventStatus(go.get(), CL_COMPLETE), CL_SUCCESS);
  run.get();
  EXPECT_EQ(first.result(), (Values{1, 1, 1, 1}));
  EXPECT_EQ(second.result(), (Values{1, 1, 1, 1}));
}

TEST(ResidencyTest, LetsGoOfTheQueueWithItsEngine) {
  const auto references = [](cl_context context) {
    cl_uint count = 0;
    EXPECT_EQ(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof(count), &count, nullptr),
              CL_SUCCESS);
    return count;
  };
  const Handle<cl_context> context = make_context(test_device().handle);
  const cl_uint before = references(context.get());
  {
    Engine engine(context.get(), test_device().handle);
    Side side(engine, true);
    side.run();
  }
  for (int i = 0; i < 10000 && references(context.get()) != before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(references(context.get()), before);
}

}  // namespace
}  // namespace loratune
