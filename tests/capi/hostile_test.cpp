// Structs, handles and pointers that no sound caller hands over: each gives a status.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>

#include "c_api.h"
#include "loratune/dispatch/device_text.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

std::string device() { return device_text(fictional::device()); }

TEST(HostileStructs, HaveASizeThatIsRefused) {
  const DispatcherHandle handle = dispatcher_of(device(), "");
  const loratune_dispatcher* const dispatcher = handle.get();
  ASSERT_NE(dispatcher, nullptr);
  const loratune_problem good = small_problem();
  expect_sizes_refused<loratune_problem>([&](loratune_problem* problem) {
    auto choice = zeroed<loratune_choice>();
    return loratune_pick(dispatcher, problem, &choice);
  });
  expect_sizes_refused<loratune_choice>(
      [&](loratune_choice* choice) { return loratune_pick(dispatcher, &good, choice); });
  expect_sizes_refused<loratune_dispatcher_options>([](loratune_dispatcher_options* options) {
    loratune_dispatcher* made = nullptr;
    return loratune_dispatcher_create(options, &made, nullptr);
  });
  expect_sizes_refused<loratune_adapter_options>([](loratune_adapter_options* options) {
    loratune_adapter* made = nullptr;
    return loratune_adapter_load(options, &made, nullptr);
  });
}

TEST(HostileStructs, AreTakenWhereTheyAreShorter) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), "");
  loratune_problem problem = small_problem();
  problem.size = offsetof(loratune_problem, dora) + sizeof problem.dora;  // 64 bytes
  ASSERT_EQ(problem.size % 8, 0U);
  problem.slice_count = 99;  // behind its end
  loratune_choice choice = zeroed<loratune_choice>();
  choice.size = offsetof(loratune_choice, parameters);
  choice.parameters[0] = 77;
  EXPECT_EQ(loratune_pick(dispatcher.get(), &problem, &choice), LORATUNE_SUCCESS);
  EXPECT_EQ(choice.parameters[0], 77);
  EXPECT_EQ(choice.size, offsetof(loratune_choice, parameters));
}

// A problem without its end would be another problem.
TEST(HostileStructs, AreTooShortForTheirAnswer) {
  for (const char* key : {"fwd_m1_k8_n8_r2_f32_acc_dora", "fwd_m1_k8_n4+4_r2_f32_acc",
                          "fwd_m1_k8_n8_r2_f32_acc_a8"}) {
    loratune_problem problem = small_problem();
    problem.size = offsetof(loratune_problem, adapters);
    ASSERT_EQ(problem.size % 8, 0U);
    Text detail;
    EXPECT_EQ(loratune_problem_parse(key, &problem, detail.out()), LORATUNE_INVALID_STRUCT) << key;
    EXPECT_NE(detail.str(), "");
    EXPECT_EQ(problem.k, 1024) << "it was written to";
  }
  loratune_problem problem = small_problem();
  problem.size = offsetof(loratune_problem, adapters);
  problem.slice_count = 99;  // behind its end
  EXPECT_EQ(loratune_problem_parse("fwd_m1_k8_n8_r2_f32_acc", &problem, nullptr), LORATUNE_SUCCESS);
  EXPECT_EQ(problem.k, 8);
  EXPECT_EQ(problem.slice_count, 99);
}

TEST(HostileStructs, HoldFieldsOutsideTheirRanges) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), "");
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::pair<std::function<void(loratune_problem&)>, std::int32_t> faults[] = {
      {[](auto& p) { p.m = -1; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.m = kMost; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.k = 0; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.n = -kMost; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.rank = -8; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.rank = 1025; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.align = 3; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.align = -16; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.op = 1; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.mode = 3; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.mode = -1; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.dtype = 99; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.dtype = -1; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.weights_dtype = 99; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.overwrite = 2; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.slice_n[3] = 8; }, LORATUNE_INVALID_VALUE},
      {[](auto& p) { p.reserved = 1; }, LORATUNE_INVALID_STRUCT}};
  for (const auto& [plant, status] : faults) {
    loratune_problem problem = small_problem();
    plant(problem);
    auto choice = zeroed<loratune_choice>();
    EXPECT_EQ(loratune_pick(dispatcher.get(), &problem, &choice), status);
    Text text, detail;
    EXPECT_EQ(loratune_plan(dispatcher.get(), &problem, text.out(), detail.out()), status);
    EXPECT_NE(detail.str(), "");
  }
}

TEST(HostileHandles, AreTold) {
  const loratune_problem problem = small_problem();
  auto choice = zeroed<loratune_choice>();
  EXPECT_EQ(loratune_pick(nullptr, &problem, &choice), LORATUNE_NULL_POINTER);
  alignas(16) unsigned char other[64] = {};
  const auto* foreign = reinterpret_cast<const loratune_dispatcher*>(other);
  EXPECT_EQ(loratune_pick(foreign, &problem, &choice), LORATUNE_INVALID_HANDLE);
  EXPECT_EQ(loratune_adapter_module_count(reinterpret_cast<const loratune_adapter*>(other)), 0U);
  loratune_dispatcher_destroy(nullptr);
  loratune_adapter_destroy(nullptr);
  loratune_dispatcher_destroy(reinterpret_cast<loratune_dispatcher*>(other));
}

TEST(HostilePointers, AreTold) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), "");
  const loratune_problem problem = small_problem();
  EXPECT_EQ(loratune_plan(dispatcher.get(), &problem, nullptr, nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_explain(dispatcher.get(), &problem, nullptr, nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_misses(dispatcher.get(), nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_problem_key(&problem, nullptr, nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_problem_parse(nullptr, nullptr, nullptr), LORATUNE_NULL_POINTER);
  Text detail;
  EXPECT_EQ(loratune_plan(dispatcher.get(), &problem, nullptr, detail.out()),
            LORATUNE_NULL_POINTER);
  EXPECT_EQ(detail.str(), "json is NULL");
  EXPECT_EQ(loratune_problem_parse("fwd_m1_k8_n8_r2_f32_acc", nullptr, detail.out()),
            LORATUNE_NULL_POINTER);
  EXPECT_EQ(detail.str(), "problem is NULL");
  loratune_problem sizeless = problem;
  sizeless.size = 0;
  EXPECT_EQ(loratune_problem_parse("fwd_m1_k8_n8_r2_f32_acc", &sizeless, detail.out()),
            LORATUNE_INVALID_STRUCT);
  EXPECT_NE(detail.str().find("problem has a size of 0"), std::string::npos) << detail.str();
  auto options = zeroed<loratune_dispatcher_options>();
  EXPECT_EQ(loratune_dispatcher_create(&options, nullptr, nullptr), LORATUNE_NULL_POINTER);
  loratune_dispatcher* made = nullptr;
  EXPECT_EQ(loratune_dispatcher_create(&options, &made, nullptr), LORATUNE_NULL_POINTER);
  const std::string text = device();
  options.device = text.c_str();
  options.byte_count = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(loratune_dispatcher_create(&options, &made, nullptr), LORATUNE_INVALID_VALUE);
  options.bytes = "{}";
  EXPECT_EQ(loratune_dispatcher_create(&options, &made, nullptr), LORATUNE_INVALID_FILE);
  EXPECT_EQ(made, nullptr);
}

}  // namespace
}  // namespace loratune
