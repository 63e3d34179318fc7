// Programs are compiled once, by one thread of an engine, and by one process of those that share a
// folder; what stands in the folder and is no such program is passed over.
#include <stdlib.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "c_engine.h"
#include "engine/internal/program_cache.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/forward.h"
#include "loratune/engine/pool.h"
#include "unit/temporary_folder.h"

namespace {

std::atomic<int> from_source = 0, builds_that_fail = 0;
std::atomic<cl_int> code_of_failure = CL_BUILD_PROGRAM_FAILURE;
std::atomic<bool> logs_fail = false, native_kernels_hidden = false;

}  // namespace

// In the place of the driver's, for the engine in the shared library too.
extern "C" {
cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char** texts,
                                     const std::size_t* lengths, cl_int* code) {
  ++from_source;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that others ask meanwhile
  return loratune::real<decltype(clCreateProgramWithSource)>("clCreateProgramWithSource")(
      context, count, texts, lengths, code);
}
cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id* devices,
                      const char* options, void (*notify)(cl_program, void*), void* data) {
  if (builds_that_fail > 0) {
    --builds_that_fail;
    return code_of_failure;
  }
  return loratune::real<decltype(clBuildProgram)>("clBuildProgram")(program, count, devices,
                                                                    options, notify, data);
}
cl_int clGetProgramBuildInfo(cl_program program, cl_device_id device, cl_program_build_info what,
                             std::size_t bytes, void* value, std::size_t* size) {
  if (logs_fail) return CL_INVALID_PROGRAM;
  return loratune::real<decltype(clGetProgramBuildInfo)>("clGetProgramBuildInfo")(
      program, device, what, bytes, value, size);
}
cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, std::size_t bytes, void* value,
                       std::size_t* size) {
  const cl_int code = loratune::real<decltype(clGetDeviceInfo)>("clGetDeviceInfo")(
      device, what, bytes, value, size);
  if (native_kernels_hidden && code == CL_SUCCESS && value != nullptr &&
      what == CL_DEVICE_EXECUTION_CAPABILITIES) {
    *static_cast<cl_device_exec_capabilities*>(value) = CL_EXEC_KERNEL;
  }
  return code;
}
}

namespace loratune {
namespace {

// An engine on whose device nothing runs but what was compiled.
EngineHandle engine_without_native_kernels() {
  native_kernels_hidden = true;
  EngineHandle made = engine();
  native_kernels_hidden = false;
  return made;
}

// An engine that keeps programs in the folder, and a run on it. How many programs were compiled.
int compiled_in(const std::filesystem::path& folder) {
  auto options = zeroed<loratune_engine_options>();
  options.cache_folder = folder.c_str();
  const EngineHandle made = engine(options);
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made);
  CallRows rows(3);
  rows.call.weights = on_device.get();
  const int before = from_source;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
  return from_source - before;
}

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    entries.push_back(entry.path());
  }
  return entries;
}

TEST(Programs, OfOneKindAreCompiledByOneThread) {
  const EngineHandle made = engine();
  const int before = from_source;
  std::array<std::thread, 16> threads;
  for (std::thread& thread : threads) thread = std::thread([&] { op(made, 4); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(from_source - before, 1);
}

TEST(Programs, ThatCannotBeBuiltLeaveTheEngineUsable) {
  const EngineHandle made = engine_without_native_kernels();
  builds_that_fail = 1000;
  auto problem = zeroed<loratune_problem>();
  problem.m = problem.k = problem.n = 16;
  problem.rank = 4;
  loratune_op* none = nullptr;
  Text detail;
  EXPECT_EQ(loratune_op_create(made.get(), &problem, &none, detail.out()), LORATUNE_BUILD_FAILED);
  EXPECT_NE(detail.str(), "");
  EXPECT_EQ(none, nullptr);
  // Only the first of those that may run.
  builds_that_fail = 1;
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  const OpHandle forward = op(made, 2);
  EXPECT_EQ(builds_that_fail, 0);
  CallRows rows(2);
  rows.call.weights = on_device.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
}

// A compiler that fails at all programs, as where the driver's files are missing.
TEST(Programs, ThatCannotBeBuiltGiveWayToFunctionsOfTheProcess) {
  if (!test_device().info.native_kernels) GTEST_SKIP() << "the device runs none";
  const EngineHandle made = engine();
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  builds_that_fail = 1000;
  const OpHandle forward = op(made, 2);
  CallRows rows(2);
  rows.call.weights = on_device.get();
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS);
  EXPECT_LT(builds_that_fail, 1000);
  builds_that_fail = 0;
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
}

// No other kernel takes the pick's place: the next call tries the pick again.
TEST(Programs, ThatThereIsNoMemoryForAreTriedAgain) {
  const EngineHandle made = engine();
  const OpHandle forward = op(made);
  const Adapter adapter;
  const WeightsHandle on_device = weights(made, adapter);
  CallRows rows(2);
  Text detail;
  rows.call.weights = on_device.get();
  rows.call.detail = detail.out();
  code_of_failure = CL_OUT_OF_HOST_MEMORY;
  builds_that_fail = 1;
  EXPECT_EQ(loratune_forward(forward.get(), &rows.call), CL_OUT_OF_HOST_MEMORY);
  code_of_failure = CL_BUILD_PROGRAM_FAILURE;
  EXPECT_EQ(builds_that_fail, 0);
  EXPECT_NE(detail.str().find("clBuildProgram"), std::string::npos) << detail.str();
  EXPECT_EQ(rows.result(), rows.y);
  const int before = from_source;
  ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
  EXPECT_EQ(from_source - before, 1);
  add(adapter, 0.5, rows.x, rows.wanted);
  expect_near(rows.result(), rows.wanted);
}

TEST(Programs, ThatHaveNoLogAreToldByTheirCode) {
  const EngineHandle made = engine_without_native_kernels();
  auto problem = small_problem(16);
  problem.dtype = LORATUNE_DTYPE_F32;
  loratune_op* none = nullptr;
  Text detail;
  builds_that_fail = 1000;
  logs_fail = true;
  EXPECT_EQ(loratune_op_create(made.get(), &problem, &none, detail.out()), LORATUNE_BUILD_FAILED);
  builds_that_fail = 0;
  logs_fail = false;
  EXPECT_NE(detail.str().find("CL_BUILD_PROGRAM_FAILURE"), std::string::npos) << detail.str();
}

// For the rows of several adapters, and for those of one.
TEST(Programs, ThatAPoolsRowsTakeAndCannotBeBuiltAreTold) {
  const EngineHandle made = engine_without_native_kernels();
  const PoolHandle pool = pool_of(made, 2);
  const RouteHandle route = route_of(made, 3, 2);
  const Adapter adapter;
  const loratune_module_source module = module_of(adapter, 1);
  const loratune_module_source* const modules[] = {&module};
  const OpHandle forward = op(made);
  for (const std::array<std::int32_t, 3>& slots :
       {std::array<std::int32_t, 3>{0, 1, 0}, {1, 1, 1}}) {
    CallRows rows(3);
    for (const int slot : {0, 1}) {
      ASSERT_EQ(loratune_pool_set(pool.get(), rows.queue.get(), slot, modules, 1, nullptr),
                LORATUNE_SUCCESS);
    }
    ASSERT_EQ(loratune_route_assign(route.get(), rows.queue.get(), slots.data(), 3, nullptr),
              LORATUNE_SUCCESS);
    Text detail;
    rows.call.pool = pool.get();
    rows.call.route = route.get();
    rows.call.detail = detail.out();
    builds_that_fail = 1000;
    EXPECT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_BUILD_FAILED);
    EXPECT_NE(detail.str(), "");
    builds_that_fail = 0;
    ASSERT_EQ(loratune_forward(forward.get(), &rows.call), LORATUNE_SUCCESS) << detail.str();
    add(adapter, 0.5, rows.x, rows.wanted);
    expect_near(rows.result(), rows.wanted);
  }
}

TEST(Programs, AreKeptForTheNextEngine) {
  const TemporaryFolder folder;
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  EXPECT_EQ(compiled_in(folder / "cache"), 0);
}

// For whichever of the two the engine is.
TEST(Programs, AreKeptFromAContextOfTwoDevicesToo) {
  setenv("POCL_DEVICES", "pthread basic",
         1);  // read once: it counts in a process of this test alone
  std::vector<std::string> complaints;
  std::vector<cl_device_id> devices;
  for (const Device& device : list_devices(complaints)) {
    if (device.info.platform == "Portable Computing Language") devices.push_back(device.handle);
  }
  if (devices.size() != 2) GTEST_SKIP() << "there are no two devices of PoCL";
  cl_int code = CL_SUCCESS;
  const Handle<cl_context> both(
      clCreateContext(nullptr, 2, devices.data(), nullptr, nullptr, &code));
  ASSERT_EQ(code, CL_SUCCESS);
  const TemporaryFolder folder;
  const std::string cache = folder / "cache";
  for (const int compiled : {1, 0}) {
    for (cl_device_id device : devices) {
      auto options = zeroed<loratune_engine_options>();
      options.context = both.get();
      options.device = device;
      options.cache_folder = cache.c_str();
      loratune_engine* made = nullptr;
      ASSERT_EQ(loratune_engine_create(&options, &made, nullptr), LORATUNE_SUCCESS);
      const EngineHandle owned(made, loratune_engine_destroy);
      const int before = from_source;
      op(owned, 4);
      EXPECT_EQ(from_source - before, compiled);
    }
  }
}

TEST(Programs, ThatAreTornOrPoisonedAreCompiledAgain) {
  const TemporaryFolder folder;
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  const std::vector<std::filesystem::path> entries = entries_of(folder / "cache");
  ASSERT_EQ(entries.size(), 1U);
  const std::string sound = read_bytes(entries[0]);
  std::ofstream(entries[0], std::ios::binary) << sound.substr(0, sound.size() / 2);
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  std::string damaged = read_bytes(entries[0]);
  damaged[damaged.size() - 9] = static_cast<char>(damaged[damaged.size() - 9] ^ 4);
  std::ofstream(entries[0], std::ios::binary) << damaged;
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  EXPECT_EQ(compiled_in(folder / "cache"), 0);
}

TEST(Programs, ThatTheDriverRefusesAreCompiledAgain) {
  const TemporaryFolder folder;
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  const std::filesystem::path entry = entries_of(folder / "cache").at(0);
  const std::string sound = read_bytes(entry);
  // An entry that is whole, of a program that is none: the key stands behind the head of 43 bytes.
  std::uint64_t key_size = 0;
  std::memcpy(&key_size, sound.data() + 19, sizeof key_size);
  const std::string key = sound.substr(43, key_size);
  const ProgramCache cache(folder / "cache", 1 << 20);
  ASSERT_EQ(cache.path_of(key), entry);
  cache.store(key, "no program at all");
  EXPECT_EQ(compiled_in(folder / "cache"), 1);
  EXPECT_EQ(read_bytes(entry), sound);
}

// The kernel of the pick is not built, the next choice is.
TEST(Programs, ThatCannotBeBuiltHaveFallbacksForAPoolThatIsStillEmpty) {
  Problem problem;
  problem.m = 1;
  problem.k = kK;
  problem.n = kN;
  problem.rank = kRank;
  Engine with(test_context(), test_device().handle);
  const Dispatcher dispatcher(with.info());
  Pool pool(test_context(), problem, 2);
  Forward forward(with, dispatcher, problem);
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  builds_that_fail = 1;
  EXPECT_EQ(forward.prepare(queue.get(), pool, 1, 1), "");
  EXPECT_EQ(builds_that_fail, 0);
  builds_that_fail = 0;
}

TEST(Programs, AreKeptInNoFolderThatOthersMayWriteTo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "open");
  ASSERT_EQ(chmod((folder / "open").c_str(), 0777), 0);
  auto options = zeroed<loratune_engine_options>();
  const std::string name = folder / "open";
  options.cache_folder = name.c_str();
  options.context = test_context();
  options.device = test_device().handle;
  loratune_engine* none = nullptr;
  Text detail;
  EXPECT_EQ(loratune_engine_create(&options, &none, detail.out()), LORATUNE_INVALID_VALUE);
  EXPECT_NE(detail.str().find("others may write"), std::string::npos) << detail.str();
}

TEST(EngineOptions, AreReadFromTheEnvironmentWhereThatIsAskedFor) {
  setenv("LORATUNE_CACHE_DIR", "/some/folder", 1);
  setenv("LORATUNE_CACHE_BYTES", "12345", 1);
  auto options = zeroed<loratune_engine_options>();
  Text folder, detail;
  ASSERT_EQ(loratune_engine_options_from_env(&options, folder.out(), detail.out()),
            LORATUNE_SUCCESS);
  EXPECT_STREQ(options.cache_folder, "/some/folder");
  EXPECT_EQ(options.cache_bytes, 12345U);
  Text small(4);
  EXPECT_EQ(loratune_engine_options_from_env(&options, small.out(), nullptr),
            LORATUNE_TEXT_TOO_LONG);
  auto shorter = zeroed<loratune_engine_options>();
  shorter.size = offsetof(loratune_engine_options, cache_folder);
  EXPECT_EQ(loratune_engine_options_from_env(&shorter, folder.out(), detail.out()),
            LORATUNE_INVALID_STRUCT);
  EXPECT_NE(detail.str(), "");
  setenv("LORATUNE_CACHE_BYTES", "many", 1);
  EXPECT_EQ(loratune_engine_options_from_env(&options, folder.out(), detail.out()),
            LORATUNE_INVALID_VALUE);
  unsetenv("LORATUNE_CACHE_DIR");
  unsetenv("LORATUNE_CACHE_BYTES");
  options = zeroed<loratune_engine_options>();
  ASSERT_EQ(loratune_engine_options_from_env(&options, folder.out(), nullptr), LORATUNE_SUCCESS);
  EXPECT_EQ(options.cache_folder, nullptr);
  options.cache_bytes = 777;
  ASSERT_EQ(loratune_engine_options_from_env(&options, folder.out(), nullptr), LORATUNE_SUCCESS);
  EXPECT_EQ(options.cache_bytes, 777U) << "what is not set stays";
}

}  // namespace
}  // namespace loratune
