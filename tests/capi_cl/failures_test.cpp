// A driver that fails in the middle of a call: the caller gets the driver's code, and the engine
// goes on with the next call.
#include <atomic>

#include "c_engine.h"

namespace {

// How many calls are let through before one fails; below 0: none fails.
std::atomic<int> launches_before = -1, buffers_before = -1, writes_before = -1;

bool fails(std::atomic<int>& before) { return before >= 0 && before-- == 0; }

}  // namespace

extern "C" {
cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                              const std::size_t* offset, const std::size_t* global,
                              const std::size_t* local, cl_uint count, const cl_event* waits,
                              cl_event* done) {
  if (fails(launches_before)) return CL_OUT_OF_RESOURCES;
  return loratune::real<decltype(clEnqueueNDRangeKernel)>("clEnqueueNDRangeKernel")(
      queue, kernel, dims, offset, global, local, count, waits, done);
}
cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, std::size_t bytes, void* data,
                      cl_int* code) {
  if (fails(buffers_before)) {
    *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    return nullptr;
  }
  return loratune::real<decltype(clCreateBuffer)>("clCreateBuffer")(context, flags, bytes, data,
                                                                    code);
}
cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                            std::size_t offset, std::size_t bytes, const void* data, cl_uint count,
                            const cl_event* waits, cl_event* done) {
  if (fails(writes_before)) return CL_INVALID_CONTEXT;
  return loratune::real<decltype(clEnqueueWriteBuffer)>("clEnqueueWriteBuffer")(
      queue, buffer, blocking, offset, bytes, data, count, waits, done);
}
}

namespace loratune {
namespace {

// Plants a failure in a first run of an op; then the same run is right.
void expect_survived(std::atomic<int>& before, std::int32_t code) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made, 4);
  CallRows rows(4);
  rows.call.weights = on_device.get();
  Text detail;
  cl_event done = nullptr;
  rows.call.detail = detail.out();
  rows.call.done = &done;
  before = 0;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), code) << detail.str();
  EXPECT_EQ(before, -1);
  EXPECT_EQ(done, nullptr);
  EXPECT_NE(detail.str(), "");
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
  EXPECT_EQ(detail.str(), "");
  clReleaseEvent(done);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
}

TEST(Failures, OfALaunchAreTold) { expect_survived(launches_before, CL_OUT_OF_RESOURCES); }

TEST(Failures, OfMemoryForPackedWeightsAreTold) {
  expect_survived(buffers_before, CL_MEM_OBJECT_ALLOCATION_FAILURE);
}

TEST(Failures, OfAContextThatIsLostAreTold) { expect_survived(writes_before, CL_INVALID_CONTEXT); }

}  // namespace
}  // namespace loratune
