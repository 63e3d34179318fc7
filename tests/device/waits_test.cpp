// A run that waits for an event that fails is not run, and the process goes on.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "test_engine.h"
#include "tuner/candidates.h"

namespace loratune {
namespace {

class Waits : public testing::Test {
 protected:
  Waits() {
    problem_.m = 3;
    problem_.k = 8;
    problem_.n = 24;
    problem_.rank = 2;
  }

  // Runs each variant's plan behind an event that fails, and looks at y and at the run's event.
  void expect_nothing_runs(bool with_done) {
    const DeviceInfo& device = test_engine().info();
    const std::vector<float> ones(100, 1);
    int tried = 0;
    for (const Variant* variant : variants()) {
      if (!variant->supports(problem_, device)) continue;
      const Config config = variant->default_config(problem_, device);
      const Built built = test_engine().build(problem_, variant->plan(problem_, config, device));
      ASSERT_TRUE(built.executable) << built.detail;
      Weights weights = problem_.slices.count == 0
                            ? Weights(test_engine().context(), problem_, ones.data(), ones.data())
                            : Weights(test_engine().context(), problem_, modules(ones));
      const Handle<cl_command_queue> queue = test_queue();
      const Handle<cl_mem> x = test_buffer(ones);
      const Handle<cl_mem> y = test_buffer(ones);
      Operands operands;
      operands.x = x.get();
      operands.y = y.get();
      weights.set(queue.get(), built.executable->plan(), operands);
      cl_int status = CL_SUCCESS;
      const Handle<cl_event> gate(clCreateUserEvent(test_engine().context(), &status));
      ASSERT_EQ(status, CL_SUCCESS);
      const cl_event waits = gate.get();
      cl_event done = nullptr;
      built.executable->enqueue(queue.get(), operands,
                                Sync{{&waits, 1}, with_done ? &done : nullptr});
      flush(queue.get());
      ASSERT_EQ(clSetUserEventStatus(gate.get(), -5), CL_SUCCESS);
      if (with_done) {
        const Handle<cl_event> owned(done);
        EXPECT_EQ(clWaitForEvents(1, &done), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
      }
      clFinish(queue.get());
      std::vector<float> got(ones.size());
      const Handle<cl_command_queue> other = test_queue();
      read_buffer(other.get(), y.get(), 0, got.size() * sizeof(float), got.data());
      EXPECT_EQ(got, ones) << variant->name;
      ++tried;
    }
    EXPECT_GE(tried, 3);
  }

  static std::vector<Factors> modules(const std::vector<float>& ones) {
    return {2, Factors{ones.data(), ones.data(), 2, 1.0F, nullptr}};
  }

  Problem problem_;
};

TEST_F(Waits, ThatFailLeaveYAsItIs) {
  expect_nothing_runs(true);
  expect_nothing_runs(false);
}

TEST_F(Waits, ThatFailLeaveYOfAGroupAsItIs) {
  problem_.slices = {{16, 8}, 2};
  expect_nothing_runs(true);
  expect_nothing_runs(false);
}

}  // namespace
}  // namespace loratune
