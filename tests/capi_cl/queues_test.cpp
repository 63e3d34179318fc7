// Queues that an engine's objects cannot use are refused before anything is enqueued or written.
#include "c_engine.h"

namespace loratune {
namespace {

class CQueues : public testing::Test {
 protected:
  CQueues() {
    pool_ = pool_of(engine_, 2);
    route_ = route_of(engine_, 4, 2);
    w_ = zeroed<loratune_matrix>();
    w_.dtype = LORATUNE_DTYPE_F32;
    w_.buffer = w_buffer_.get();
    w_.out = kN;
    w_.in = kK;
  }

  // The status of each function on the queue, in the order of expect_all(); the update's is apart.
  std::vector<std::int32_t> statuses(cl_command_queue queue) {
    const loratune_module_source* const modules[] = {&module_};
    const loratune_weights_source source = adapter_.source();
    const std::int32_t slot = 0;
    CallRows rows(1);
    rows.call.queue = queue;
    rows.call.weights = weights_.get();
    return {loratune_forward(op_.get(), &rows.call),
            loratune_merge(engine_.get(), queue, &source, &w_, nullptr),
            loratune_pool_set(pool_.get(), queue, 0, modules, 1, nullptr),
            loratune_pool_clear(pool_.get(), queue, 1, nullptr),
            loratune_route_assign(route_.get(), queue, &slot, 1, nullptr)};
  }
  std::int32_t update(cl_command_queue queue) {
    const loratune_weights_source source = adapter_.source();
    return loratune_weights_update(weights_.get(), queue, &source, nullptr);
  }
  static std::vector<std::int32_t> all(std::int32_t status) {
    return std::vector<std::int32_t>(5, status);
  }

  EngineHandle engine_ = engine();
  Adapter adapter_;
  WeightsHandle weights_ = weights(engine_, adapter_);
  OpHandle op_ = op(engine_);
  PoolHandle pool_{nullptr, loratune_pool_destroy};
  RouteHandle route_{nullptr, loratune_route_destroy};
  loratune_module_source module_ = module_of(adapter_, 1);
  Handle<cl_mem> w_buffer_ = buffer_of(std::vector<float>(kN * kK));
  loratune_matrix w_;
};

TEST_F(CQueues, InOrderOnesOfTheEngineAreTaken) {
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  EXPECT_EQ(statuses(queue.get()), all(LORATUNE_SUCCESS));
  EXPECT_EQ(update(queue.get()), LORATUNE_SUCCESS);
}

TEST_F(CQueues, OutOfOrderOnesAreRefusedWhereOneCommandFollowsAnother) {
  cl_int status = CL_SUCCESS;
  const Handle<cl_command_queue> queue(clCreateCommandQueue(
      test_context(), test_device().handle, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &status));
  if (status != CL_SUCCESS) GTEST_SKIP() << "the device has no queue that is out of order";
  EXPECT_EQ(statuses(queue.get()), all(LORATUNE_UNSUPPORTED));
  EXPECT_EQ(update(queue.get()), LORATUNE_SUCCESS) << "its writes block";
}

TEST_F(CQueues, OnesOfAnotherContextAreRefusedAndTheWeightsStay) {
  const Handle<cl_context> other = make_context(test_device().handle);
  const Handle<cl_command_queue> queue = make_queue(other.get(), test_device().handle);
  EXPECT_EQ(statuses(queue.get()), all(LORATUNE_INVALID_OPERANDS));
  const std::vector<float> a = adapter_.a;
  CallRows rows(3);
  rows.call.weights = weights_.get();
  add(adapter_, 0.5, rows.x, rows.wanted);
  for (float& value : adapter_.a) value = 1;
  EXPECT_EQ(update(queue.get()), LORATUNE_INVALID_OPERANDS);
  ASSERT_EQ(loratune_forward(op_.get(), &rows.call), LORATUNE_SUCCESS);
  expect_near(rows.result(), rows.wanted);
}

}  // namespace
}  // namespace loratune
