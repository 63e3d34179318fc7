// A driver that fails in the middle of a call: the caller gets the driver's code, and the engine
// goes on with the next call.
#include <atomic>
#include <utility>

#include "c_engine.h"
#include "engine/internal/residency.h"
#include "loratune/dispatch/device_text.h"
#include "loratune/engine/engine.h"

namespace {

// How many calls are let through before one fails; below 0: none fails.
std::atomic<int> launches_before = -1, buffers_before = -1, writes_before = -1;
std::atomic<int> markers_before = -1, finishes_before = -1;
// Whether buffers that are made without data are NaNs all over: what is not written to them shows.
std::atomic<bool> buffers_of_nans = false;

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
  std::vector<unsigned char> nans;
  if (buffers_of_nans && data == nullptr) {
    nans.resize(bytes, 0xff);
    data = nans.data();
    flags |= CL_MEM_COPY_HOST_PTR;
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
cl_int clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count, const cl_event* waits,
                                   cl_event* done) {
  if (fails(markers_before)) return CL_INVALID_COMMAND_QUEUE;
  return loratune::real<decltype(clEnqueueMarkerWithWaitList)>("clEnqueueMarkerWithWaitList")(
      queue, count, waits, done);
}
cl_int clFinish(cl_command_queue queue) {
  if (fails(finishes_before)) return CL_INVALID_COMMAND_QUEUE;
  return loratune::real<decltype(clFinish)>("clFinish")(queue);
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

// While a kernel that hands x A^T over in scratch is built. No other one takes its place for good.
TEST(Failures, OfMemoryForScratchPassWithTheNextCall) {
  const DispatcherHandle split = dispatcher_of(device_text(test_device().info), file_of_split());
  ASSERT_NE(split, nullptr);
  auto options = zeroed<loratune_engine_options>();
  options.dispatcher = split.get();
  const EngineHandle made = engine(options);
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  CallRows rows(4);
  rows.call.weights = on_device.get();
  Text detail;
  rows.call.detail = detail.out();
  buffers_before = 0;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_NE(detail.str().find("clCreateBuffer"), std::string::npos) << detail.str();
  EXPECT_EQ(buffers_before, -1);
  EXPECT_EQ(rows.result(), rows.y);
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  launches_before = 1;  // the second launch, which no fallback has
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), CL_OUT_OF_RESOURCES);
  EXPECT_EQ(launches_before, -1);
  launches_before = -1;
}

TEST(Failures, OfAContextThatIsLostAreTold) { expect_survived(writes_before, CL_INVALID_CONTEXT); }

// A run that needs residency waits for the one before it, unless its queue fails: of a queue of
// another context by clFinish(), else by a marker.
TEST(Failures, OfAQueueHoldUpNoRunOnAnotherOne) {
  const Handle<cl_context> other = make_context(test_device().handle);
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  for (const auto& [context, before] :
       {std::pair(other.get(), &finishes_before), std::pair(test_context(), &markers_before)}) {
    Residency residency;
    const Handle<cl_command_queue> dead = make_queue(context, test_device().handle);
    EXPECT_TRUE(residency.enter(dead.get()).owns_lock());
    *before = 0;
    EXPECT_NO_THROW(EXPECT_TRUE(residency.enter(queue.get()).owns_lock()));
    EXPECT_EQ(*before, -1);
    // The queue that fails is forgotten.
    *before = 0;
    EXPECT_NO_THROW(EXPECT_TRUE(residency.enter(queue.get()).owns_lock()));
    EXPECT_EQ(*before, 0);
    *before = -1;
  }
}

// A pool of two slots, and calls of four rows that have them in turn.
class FailingPool : public testing::Test {
 protected:
  FailingPool() {
    buffers_of_nans = true;
    pool_ = pool_of(engine_, 2);
    route_ = route_of(engine_, 4, 2);
  }
  ~FailingPool() override { buffers_of_nans = false; }
  FailingPool(const FailingPool&) = delete;
  FailingPool& operator=(const FailingPool&) = delete;

  std::int32_t set(int slot) {
    const loratune_module_source module = module_of(adapters_[slot], 1);
    const loratune_module_source* const modules[] = {&module};
    return loratune_pool_set(pool_.get(), queue_.get(), slot, modules, 1, nullptr);
  }
  std::int32_t assign() {
    return loratune_route_assign(route_.get(), queue_.get(), kSlots, 4, nullptr);
  }
  std::int32_t run(CallRows& rows) {
    rows.call.queue = queue_.get();
    rows.call.pool = pool_.get();
    rows.call.route = route_.get();
    return loratune_forward(op_.get(), &rows.call);
  }
  void expect_right() {
    CallRows rows(4);
    ASSERT_EQ(run(rows), LORATUNE_SUCCESS);
    clFinish(queue_.get());
    std::vector<double> of[] = {rows.wanted, rows.wanted};
    for (const int slot : {0, 1}) add(adapters_[slot], 0.5, rows.x, of[slot]);
    for (std::size_t i = 0; i < rows.wanted.size(); ++i) {
      rows.wanted[i] = of[kSlots[i / static_cast<std::size_t>(kN)]][i];
    }
    expect_near(rows.result(), rows.wanted);
  }

  static constexpr std::int32_t kSlots[] = {0, 1, 0, 1};
  Adapter adapters_[2] = {Adapter(kRank, 1), Adapter(5, 11)};
  EngineHandle engine_ = engine();
  OpHandle op_ = op(engine_);
  PoolHandle pool_{nullptr, loratune_pool_destroy};
  RouteHandle route_{nullptr, loratune_route_destroy};
  Handle<cl_command_queue> queue_ = make_queue(test_context(), test_device().handle);
};

// While the slots are packed for a kernel's first run.
TEST_F(FailingPool, PacksWhatIsMissingInTheNextRun) {
  ASSERT_EQ(set(0), LORATUNE_SUCCESS);
  ASSERT_EQ(set(1), LORATUNE_SUCCESS);
  ASSERT_EQ(assign(), LORATUNE_SUCCESS);
  for (const int before : {0, 1}) {
    writes_before = before;
    CallRows rows(4);
    EXPECT_EQ(run(rows), CL_INVALID_CONTEXT);
    EXPECT_EQ(writes_before, -1);
    EXPECT_EQ(rows.result(), rows.y);
    // Slot 0 has its place, and slot 1 is packed when that is asked for again.
    adapters_[0] = Adapter(kRank, 31 + static_cast<unsigned>(before));
    ASSERT_EQ(set(0), LORATUNE_SUCCESS);
  }
  expect_right();
  adapters_[1] = Adapter(3, 41);
  ASSERT_EQ(set(1), LORATUNE_SUCCESS);
  expect_right();
}

// While an empty slot is packed for the kernels that ran, and while its rank and scale are written.
TEST_F(FailingPool, FillsASlotInTheNextCallThatSetsIt) {
  for (const int before : {0, 1}) {
    ASSERT_EQ(set(0), LORATUNE_SUCCESS);
    ASSERT_EQ(assign(), LORATUNE_SUCCESS);
    CallRows rows(4);
    ASSERT_EQ(run(rows), LORATUNE_SUCCESS);
    writes_before = before;
    EXPECT_EQ(set(1), CL_INVALID_CONTEXT);
    EXPECT_EQ(writes_before, -1);
    ASSERT_EQ(set(1), LORATUNE_SUCCESS);
    expect_right();
    ASSERT_EQ(loratune_pool_clear(pool_.get(), queue_.get(), 1, nullptr), LORATUNE_SUCCESS);
    adapters_[1] = Adapter(6, 51);
  }
}

TEST_F(FailingPool, HasNoRowsAfterAnAssignmentThatFailed) {
  ASSERT_EQ(set(0), LORATUNE_SUCCESS);
  ASSERT_EQ(set(1), LORATUNE_SUCCESS);
  for (int turn = 0; turn < 2; ++turn) {  // with nothing assigned before, and with a step
    writes_before = 0;
    EXPECT_EQ(assign(), CL_INVALID_CONTEXT);
    CallRows rows(4);
    Text detail;
    rows.call.detail = detail.out();
    EXPECT_EQ(run(rows), LORATUNE_INVALID_OPERANDS);
    EXPECT_NE(detail.str().find("the route is of 0 rows"), std::string::npos) << detail.str();
    EXPECT_EQ(rows.result(), rows.y);
    ASSERT_EQ(assign(), LORATUNE_SUCCESS);
    expect_right();
  }
}

// Of A, and of B.
TEST(Failures, OfAWriteLeaveAnArenaItsRoom) {
  const Variant& split = *find_variant("split");
  Problem problem;
  problem.m = 4;
  problem.k = kK;
  problem.n = kN;
  problem.rank = kRank;
  const DeviceInfo& device = test_device().info;
  const LaunchPlan plan = split.plan(problem, split.default_config(problem, device), device);
  const Adapter adapter;
  Weights weights(test_context(), problem, adapter.a.data(), adapter.b.data());
  const std::int64_t bytes = weights.bytes_of(plan);
  const Handle<cl_mem> arena = make_buffer(test_context(), static_cast<std::size_t>(bytes));
  weights.use_arena(arena.get(), 0, bytes);
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  Operands operands;
  for (const int before : {0, 1}) {
    writes_before = before;
    EXPECT_THROW(weights.set(queue.get(), plan, operands), OpenclError);
  }
  weights.set(queue.get(), plan, operands);
  EXPECT_EQ(operands.a, arena.get());
  EXPECT_EQ(operands.off_a, 0);
}

// y[0] of each slice becomes how often the kernel has run, which it counts in scratch.
LaunchPlan counting_plan() {
  LaunchPlan plan;
  plan.source =
      "kernel void count(global float* y, long off_y, global int* runs) { y[off_y] = ++runs[0]; }";
  plan.scratch = {{4, Zero::once}};
  Launch launch;
  launch.kernel = "count";
  launch.args = {{Role::y}, {Role::off_y}, {Role::scratch, 0}};
  plan.launches = {launch};
  return plan;
}

// Of one module, and of a plan of parts.
TEST(Failures, OfAnEventLeaveNoScratchAsItWasFound) {
  Engine with(test_context(), test_device().handle);
  for (const int slices : {1, 2}) {
    Problem problem;
    problem.m = problem.k = problem.rank = 1;
    problem.n = slices;
    LaunchPlan plan = counting_plan();
    if (slices == 2) {
      problem.slices = {{1, 1}, 2};
      plan = {};
      plan.parts = {counting_plan(), counting_plan()};
    }
    buffers_of_nans = true;
    const Built built = with.build(problem, plan);
    buffers_of_nans = false;
    ASSERT_TRUE(built.executable) << built.detail;
    const float one = 1;
    Weights weights(test_context(), problem,
                    std::vector<Factors>(static_cast<std::size_t>(slices), {&one, &one, 1}));
    const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
    const Handle<cl_mem> x = buffer_of({0});
    const Handle<cl_mem> y = buffer_of(std::vector<float>(static_cast<std::size_t>(slices)));
    Operands operands;
    operands.x = x.get();
    operands.y = y.get();
    weights.set(queue.get(), plan, operands);
    cl_int code = CL_SUCCESS;
    const Handle<cl_event> gate(clCreateUserEvent(test_context(), &code));
    ASSERT_EQ(code, CL_SUCCESS);
    const cl_event waits = gate.get();
    built.executable->enqueue(queue.get(), operands, Sync{{&waits, 1}, nullptr});
    flush(queue.get());
    ASSERT_EQ(clSetUserEventStatus(gate.get(), CL_OUT_OF_RESOURCES), CL_SUCCESS);
    clFinish(queue.get());
    const Handle<cl_command_queue> next = make_queue(test_context(), test_device().handle);
    for (const float runs : {1.0F, 2.0F}) {
      built.executable->enqueue(next.get(), operands);
      std::vector<float> got(static_cast<std::size_t>(slices));
      read_buffer(next.get(), y.get(), 0, 4 * got.size(), got.data());
      EXPECT_EQ(got, std::vector<float>(got.size(), runs));
    }
  }
}

}  // namespace
}  // namespace loratune
