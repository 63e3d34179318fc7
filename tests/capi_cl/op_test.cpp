// The engine through the C interface, beside plain sums in double.
#include <functional>
#include <limits>
#include <thread>

#include "c_engine.h"
#include "loratune/dispatch/device_text.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

TEST(COp, RunsAnyNumberOfRows) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made, 5);
  for (const std::int64_t m : {5, 1, 2, 17, 5, 64}) {
    CallRows rows(m);
    rows.call.weights = on_device.get();
    ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << m;
    add(adapter, 0.5, rows.x, rows.wanted);
    expect_near(rows.result(), rows.wanted);
  }
}

TEST(COp, OutlivesWhatItWasMadeOf) {
  EngineHandle made = engine();
  const Adapter adapter;
  WeightsHandle on_device = weights(made, adapter);
  OpHandle forward = op(made);
  made.reset();
  CallRows rows(3);
  rows.call.weights = on_device.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  forward.reset();
}

TEST(COp, WaitsForEventsAndGivesOne) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  CallRows rows(4);
  cl_int code = CL_SUCCESS;
  const Handle<cl_event> gate(clCreateUserEvent(test_context(), &code));
  ASSERT_EQ(code, CL_SUCCESS);
  const cl_event waits[] = {gate.get()};
  cl_event done = nullptr;
  rows.call.weights = on_device.get();
  rows.call.waits = waits;
  rows.call.wait_count = 1;
  rows.call.done = &done;
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  ASSERT_NE(done, nullptr);
  const Handle<cl_event> owned(done);
  clFlush(rows.queue.get());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  cl_int state = CL_COMPLETE;
  clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, nullptr);
  EXPECT_NE(state, CL_COMPLETE);
  clSetUserEventStatus(gate.get(), CL_COMPLETE);
  ASSERT_EQ(clWaitForEvents(1, &done), CL_SUCCESS);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  // Nothing to compute, and yet an event.
  cl_event nothing = nullptr;
  rows.call.wait_count = 0;
  rows.call.m = 0;
  rows.call.done = &nothing;
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  ASSERT_NE(nothing, nullptr);
  EXPECT_EQ(clWaitForEvents(1, &nothing), CL_SUCCESS);
  clReleaseEvent(nothing);
}

TEST(COp, UsesWhatTheWeightsWereUpdatedTo) {
  const EngineHandle made = engine();
  const WeightsHandle on_device = weights(made, Adapter());
  const OpHandle forward = op(made);
  CallRows rows(2);
  rows.call.weights = on_device.get();
  const Adapter later(kRank, 77);
  const loratune_weights_source source = later.source();
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(Adapter(), 0.5, rows.x, rows.wanted);
  ASSERT_EQ(loratune_weights_update(on_device.get(), rows.queue.get(), &source, nullptr),
            LORATUNE_SUCCESS);
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(later, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  const Adapter other(4);
  const loratune_weights_source shorter = other.source();
  EXPECT_EQ(loratune_weights_update(on_device.get(), rows.queue.get(), &shorter, nullptr),
            LORATUNE_INVALID_OPERANDS);
}

TEST(COp, AdaptersTogetherAreOneOfTheSumOfTheirRanks) {
  const EngineHandle made = engine();
  const Adapter one(3, 5), other(5, 6);
  loratune_weights_source sources[] = {one.source(), other.source()};
  sources[1].factor = -2;
  const loratune_weights_source* const pointers[] = {&sources[0], &sources[1]};
  loratune_weights* joined = nullptr;
  ASSERT_EQ(loratune_weights_concat(made.get(), pointers, 2, &joined, nullptr), LORATUNE_SUCCESS);
  const WeightsHandle owned(joined, loratune_weights_destroy);
  const OpHandle forward = op(made, 0, 8);
  CallRows rows(3);
  rows.call.weights = joined;
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(one, 0.5, rows.x, rows.wanted);
  add(other, -1, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  EXPECT_EQ(loratune_weights_concat(made.get(), pointers, 0, &joined, nullptr),
            LORATUNE_INVALID_VALUE);
  sources[1].k = 4;
  sources[1].a_bytes = 4 * 4 * 5;
  EXPECT_EQ(loratune_weights_concat(made.get(), pointers, 2, &joined, nullptr),
            LORATUNE_INVALID_VALUE);
}

// A pitch whose bytes are beyond 64 bits is none that a row could be counted by.
constexpr std::int64_t kLongPitch = std::int64_t{1} << 62;

void take_one_row_in_place(loratune_call& call) {
  call.m = 1;
  call.x = call.y;
  call.ld_x = call.ld_y = kLongPitch;
}

TEST(COp, RefusesOperandsThatDoNotFitAndTouchesNothing) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const WeightsHandle other_rank = weights(made, Adapter(4));
  const OpHandle forward = op(made);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::pair<std::function<void(loratune_call&)>, std::int32_t> faults[] = {
      {[](auto& c) { c.m = 5; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.m = -1; }, LORATUNE_INVALID_VALUE},
      {[](auto& c) { c.m = kMost; }, LORATUNE_INVALID_VALUE},
      {[](auto& c) { c.off_x = 1; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.off_y = -1; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.off_y = kMost; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_x = kMost; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_y = kN - 1; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_y = -kMost; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.x = nullptr; }, LORATUNE_INVALID_OPERANDS},
      {take_one_row_in_place, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.y = nullptr; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.queue = nullptr; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.weights = nullptr; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.wait_count = 3; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.reserved = 1; }, LORATUNE_INVALID_STRUCT},
      {[](auto& c) { c.size = 0; }, LORATUNE_INVALID_STRUCT},
      {[](auto& c) { c.size = 0xfffffff8; }, LORATUNE_INVALID_STRUCT},
      {[&](auto& c) { c.weights = other_rank.get(); }, LORATUNE_INVALID_OPERANDS}};
  CallRows rows(4);
  for (const auto& [plant, status] : faults) {
    Text detail;
    loratune_call call = rows.call;
    call.weights = on_device.get();
    call.detail = detail.out();
    plant(call);
    EXPECT_EQ(loratune_forward(forward.get(), &call), status);
    if (call.size == sizeof call) {
      EXPECT_NE(detail.str(), "");
    }
  }
  EXPECT_EQ(loratune_forward(forward.get(), nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_forward(nullptr, &rows.call), LORATUNE_NULL_POINTER);
  EXPECT_EQ(rows.result(), rows.y);
}

// Not what the call before said.
TEST(COp, TellsOfAReservedFieldWhatIsWrong) {
  const EngineHandle made = engine();
  const OpHandle forward = op(made);
  CallRows rows(1);
  Text detail;
  cl_event done = reinterpret_cast<cl_event>(&detail);
  rows.call.reserved = 1;
  rows.call.detail = detail.out();
  rows.call.done = &done;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_STRUCT);
  EXPECT_NE(detail.str().find("reserved"), std::string::npos) << detail.str();
  EXPECT_EQ(done, nullptr);
}

TEST(COp, TakesOneRowWhateverItsPitch) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  CallRows rows(1);
  rows.call.weights = on_device.get();
  rows.call.ld_x = rows.call.ld_y = kLongPitch;
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
}

// An engine whose kernels, which are of split, run in scratch of their callers'.
EngineHandle engine_of_callers_scratch() {
  const DispatcherHandle dispatcher =
      dispatcher_of(device_text(test_device().info), file_of_split());
  EXPECT_NE(dispatcher, nullptr);
  auto options = zeroed<loratune_engine_options>();
  options.caller_scratch = 1;
  options.dispatcher = dispatcher.get();
  return engine(options);
}

TEST(COp, RunsInScratchOfTheCallers) {
  const EngineHandle made = engine_of_callers_scratch();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  for (const std::int64_t m : {1, 16, 200}) {
    std::uint64_t bytes = 0;
    ASSERT_EQ(loratune_op_scratch_bytes(forward.get(), m, &bytes, nullptr), LORATUNE_SUCCESS);
    EXPECT_GE(bytes, static_cast<std::uint64_t>(4 * m * kRank));
    CallRows rows(m);
    rows.call.weights = on_device.get();
    EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
    for (const std::int64_t offset : {0, 4096}) {
      const std::size_t whole = bytes + static_cast<std::size_t>(offset);
      const Handle<cl_mem> scratch = make_buffer(test_context(), whole + 16);
      fill_buffer(rows.queue.get(), scratch.get(), cl_uchar{0xff}, whole + 16);
      rows.call.scratch = scratch.get();
      rows.call.scratch_offset = offset;
      ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
      add(adapter, 0.5, rows.x, rows.wanted);
      expect_near(rows.result(), rows.wanted);
      std::vector<unsigned char> end(16);
      read_buffer(rows.queue.get(), scratch.get(), whole, end.size(), end.data());
      EXPECT_EQ(end, std::vector<unsigned char>(16, 0xff));
      // In a part of a buffer too.
      const Handle<cl_mem> around = make_buffer(test_context(), 4096 + whole);
      const Handle<cl_mem> part = part_of(around.get(), 4096, whole);
      rows.call.scratch = part.get();
      Text detail;
      rows.call.detail = detail.out();
      EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
      add(adapter, 0.5, rows.x, rows.wanted);
      expect_near(rows.result(), rows.wanted);
      rows.call.detail = nullptr;
    }
    rows.call.scratch_offset = 8;
    EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
    const Handle<cl_mem> small = make_buffer(test_context(), 16);
    rows.call.scratch = small.get();
    rows.call.scratch_offset = 0;
    EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
  }
}

TEST(COp, SaysHowManyBytesOfScratchItTakes) {
  const EngineHandle made = engine_of_callers_scratch();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  CallRows rows(16);
  Text detail;
  rows.call.weights = on_device.get();
  rows.call.detail = detail.out();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
  const std::string words = "it takes ";
  const std::size_t at = detail.str().find(words);
  ASSERT_NE(at, std::string::npos) << detail.str();
  const std::size_t bytes = std::stoul(detail.str().substr(at + words.size()));
  const Handle<cl_mem> scratch = make_buffer(test_context(), bytes);
  rows.call.scratch = scratch.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  // In the buffer of y, and in a part of that of x.
  const Handle<cl_mem> around = make_buffer(test_context(), 4096 * 16 + bytes);
  rows.call.scratch = around.get();
  rows.call.y = around.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
  EXPECT_NE(detail.str().find("scratch and y overlap"), std::string::npos) << detail.str();
  const Handle<cl_mem> part = part_of(around.get(), 0, 4096 * 8);
  rows.call.x = part.get();
  rows.call.y = rows.y_buffer.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_OPERANDS);
  EXPECT_NE(detail.str().find("scratch and x overlap"), std::string::npos) << detail.str();
  rows.call.scratch_offset = 4096 * 8;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
}

// By one launch, by two, and for no rows, with an event for the end and without.
TEST(COp, IsNotRunWhereAnEventThatItWaitsForFails) {
  const DispatcherHandle split = dispatcher_of(device_text(test_device().info), file_of_split());
  const Adapter adapter;
  for (const loratune_dispatcher* dispatcher :
       {static_cast<const loratune_dispatcher*>(nullptr),
        static_cast<const loratune_dispatcher*>(split.get())}) {
    auto options = zeroed<loratune_engine_options>();
    options.dispatcher = dispatcher;
    const EngineHandle made = engine(options);
    const WeightsHandle on_device = weights(made, adapter);
    const OpHandle forward = op(made, 4);
    for (const bool with_done : {true, false}) {
      for (const std::int64_t m : {4, 0}) {
        CallRows rows(4);
        cl_int code = CL_SUCCESS;
        const Handle<cl_event> gate(clCreateUserEvent(test_context(), &code));
        ASSERT_EQ(code, CL_SUCCESS);
        const cl_event waits = gate.get();
        cl_event done = nullptr;
        rows.call.m = m;
        rows.call.weights = on_device.get();
        rows.call.waits = &waits;
        rows.call.wait_count = 1;
        rows.call.done = with_done ? &done : nullptr;
        ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
        flush(rows.queue.get());
        ASSERT_EQ(clSetUserEventStatus(gate.get(), CL_OUT_OF_RESOURCES), CL_SUCCESS);
        if (with_done) {
          const Handle<cl_event> owned(done);
          EXPECT_EQ(clWaitForEvents(1, &done), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        }
        clFinish(rows.queue.get());
        rows.queue = make_queue(test_context(), test_device().handle);
        EXPECT_EQ(rows.result(), rows.y);
      }
    }
  }
}

TEST(COp, IsGivenNoStructOfAnotherSize) {
  const EngineHandle made = engine();
  const OpHandle forward = op(made);
  const WeightsHandle on_device = weights(made, Adapter());
  CallRows rows(1);
  expect_sizes_refused<loratune_engine_options>([](loratune_engine_options* options) {
    loratune_engine* none = nullptr;
    return loratune_engine_create(options, &none, nullptr);
  });
  expect_sizes_refused<loratune_problem>([&](loratune_problem* problem) {
    loratune_op* none = nullptr;
    return loratune_op_create(made.get(), problem, &none, nullptr);
  });
  expect_sizes_refused<loratune_weights_source>([&](loratune_weights_source* source) {
    loratune_weights* none = nullptr;
    return loratune_weights_create(made.get(), source, &none, nullptr);
  });
  expect_sizes_refused<loratune_weights_source>([&](loratune_weights_source* source) {
    return loratune_weights_update(on_device.get(), rows.queue.get(), source, nullptr);
  });
  expect_sizes_refused<loratune_call>(
      [&](loratune_call* call) { return loratune_forward(forward.get(), call); });
}

TEST(COp, IsGivenNoFactorsOfAnotherSize) {
  const EngineHandle made = engine();
  const Adapter adapter;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::function<void(loratune_weights_source&)> faults[] = {
      [](auto& s) { s.a_bytes -= 4; },
      [](auto& s) { s.b_bytes += 4; },
      [](auto& s) { s.k = kMost; },
      [](auto& s) { s.n = -1; },
      [](auto& s) { s.rank = 0; },
      [](auto& s) { s.a = nullptr; },
      [](auto& s) { s.b = nullptr; },
      [](auto& s) { s.dtype = 77; },
      [](auto& s) { s.dtype = LORATUNE_DTYPE_F16; }};
  for (const auto& plant : faults) {
    loratune_weights_source source = adapter.source();
    plant(source);
    loratune_weights* none = nullptr;
    Text detail;
    EXPECT_LT(loratune_weights_create(made.get(), &source, &none, detail.out()), -9999);
    EXPECT_NE(detail.str(), "");
    EXPECT_EQ(none, nullptr);
  }
}

TEST(COp, HasObjectsThatAreToldApart) {
  const EngineHandle made = engine();
  const OpHandle forward = op(made);
  CallRows rows(1);
  rows.call.weights = reinterpret_cast<const loratune_weights*>(made.get());
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_INVALID_HANDLE);
  alignas(16) unsigned char foreign[64] = {};
  auto options = zeroed<loratune_engine_options>();
  options.context = test_context();
  options.device = test_device().handle;
  options.dispatcher = reinterpret_cast<const loratune_dispatcher*>(foreign);
  loratune_engine* none = nullptr;
  EXPECT_EQ(loratune_engine_create(&options, &none, nullptr), LORATUNE_INVALID_HANDLE);
  options.dispatcher = nullptr;
  options.context = nullptr;
  EXPECT_EQ(loratune_engine_create(&options, &none, nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(none, nullptr);
  loratune_engine_destroy(nullptr);
  loratune_weights_destroy(nullptr);
  loratune_op_destroy(nullptr);
}

TEST(COp, RunsWhatADispatcherOfTheOtherLibraryPicks) {
  Text device(65536), detail;
  EXPECT_EQ(loratune_device_json(test_device().handle, nullptr, detail.out()),
            LORATUNE_NULL_POINTER);
  EXPECT_EQ(detail.str(), "json is NULL");
  ASSERT_EQ(loratune_device_json(test_device().handle, device.out(), nullptr), LORATUNE_SUCCESS);
  const DispatcherHandle dispatcher = dispatcher_of(device.str(), "");
  ASSERT_NE(dispatcher, nullptr);
  auto options = zeroed<loratune_engine_options>();
  options.context = test_context();
  options.device = test_device().handle;
  options.dispatcher = dispatcher.get();
  loratune_engine* made = nullptr;
  ASSERT_EQ(loratune_engine_create(&options, &made, nullptr), LORATUNE_SUCCESS);
  const EngineHandle owned(made, loratune_engine_destroy);
  op(owned, 5);
  // The engine's picks are the dispatcher's: it had no file, so this one was a miss.
  EXPECT_EQ(
      whole_text([&](loratune_text* text) { return loratune_misses(dispatcher.get(), text); }),
      "fwd_m5_k96_n80_r8_f32_acc\n");
}

TEST(COp, TakesNoDispatcherOfAnotherKindOfDevice) {
  DeviceInfo other = test_device().info;
  other.driver += " patched";
  const DispatcherHandle updated = dispatcher_of(device_text(other), "");
  auto options = zeroed<loratune_engine_options>();
  options.dispatcher = updated.get();
  EXPECT_NE(engine(options), nullptr);
  const DispatcherHandle foreign = dispatcher_of(device_text(fictional::device()), "");
  options.context = test_context();
  options.device = test_device().handle;
  options.dispatcher = foreign.get();
  loratune_engine* none = nullptr;
  Text detail;
  EXPECT_EQ(loratune_engine_create(&options, &none, detail.out()), LORATUNE_INVALID_VALUE);
  EXPECT_EQ(none, nullptr);
  EXPECT_NE(detail.str().find("Fictional F100"), std::string::npos) << detail.str();
}

TEST(COp, ManyThreadsShareAnEngineAndItsWeights) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  std::vector<std::thread> threads;
  std::vector<int> wrong(16);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const OpHandle forward = op(made);
      for (const std::int64_t m : {1, 3, 8}) {
        CallRows rows(m, static_cast<unsigned>(t));
        rows.call.weights = on_device.get();
        add(adapter, 25, rows.x, rows.wanted);
        for (int i = 0; i < 50; ++i) {
          if (loratune_forward(forward.get(), &rows.call) != LORATUNE_SUCCESS) ++wrong[t];
        }
        const std::vector<float> got = rows.result();
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double bound = 1e-4 * (50 + std::abs(rows.wanted[i]));
          if (std::abs(static_cast<double>(got[i]) - rows.wanted[i]) > bound) ++wrong[t];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(wrong.size()));
}

}  // namespace
}  // namespace loratune
