#include "harness/base/problem_size.h"

#include <gtest/gtest.h>

#include <string>

#include "device/process.h"
#include "made_up_devices.h"

namespace loratune {
namespace {

constexpr double kMuch = 1e30;

Problem problem_of(const std::string& key) {
  std::string why;
  return parse_problem(key, why).value();
}

bool says(const std::string& line, const std::string& words) {
  return line.find(words) != std::string::npos;
}

TEST(ProblemSize, WhatFitsHasNoReason) {
  EXPECT_EQ(too_large_reason(problem_of("m512_k4096_n4096_r64_f32_acc"), made_up::gpu(), 1e9), "");
}

TEST(ProblemSize, ABufferBeyondTheDevicesIsTold) {
  DeviceInfo device = made_up::gpu();
  device.max_alloc_bytes = (std::int64_t{4} << 20) + 2 * kGuardElements * 4;
  const Problem x = problem_of("m1024_k1024_n1_r1_f32_acc");  // 4 MiB and the guards
  EXPECT_EQ(too_large_reason(x, device, kMuch), "");
  device.max_alloc_bytes -= 1;
  EXPECT_PRED2(says, too_large_reason(x, device, kMuch), "needs a buffer of");
  EXPECT_EQ(too_large_reason(problem_of("m1024_k1024_n1_r1_f16_acc"), device, kMuch), "");
  for (const char* key :
       {"m1_k2000000_n1_r2_f32_acc", "m1_k1_n2000000_r2_f32_acc", "m1024_k1_n2048_r1_f32_acc",
        "m1_k4096_n4096_r16_f32_acc_a8"}) {  // eight slots and two, of 512 KiB each
    EXPECT_PRED2(says, too_large_reason(problem_of(key), device, kMuch), "needs a buffer of");
  }
}

TEST(ProblemSize, OperandsBeyondTheMemoryAreTold) {
  DeviceInfo device = made_up::gpu();
  const Problem problem = problem_of("m1024_k1024_n1024_r8_f32_acc");
  EXPECT_EQ(too_large_reason(problem, device, 80e6), "");
  EXPECT_PRED2(says, too_large_reason(problem, device, 70e6), "of memory");
}

TEST(ProblemSize, ARouteHasAMostOfRows) {
  EXPECT_EQ(too_large_reason(problem_of("m16777216_k1_n1_r1_f32_acc_a1"), made_up::gpu(), kMuch),
            "");
  const Problem more = problem_of("m16777217_k1_n1_r1_f32_acc_a1");
  EXPECT_PRED2(says, too_large_reason(more, made_up::gpu(), kMuch), "more rows than");
}

// Their products are beyond 64 bits in bytes.
TEST(ProblemSize, TheLargestExtentsOverflowNothing) {
  const Problem problem = problem_of("m2147483647_k2147483647_n2147483647_r1024_f32_acc");
  EXPECT_PRED2(says, too_large_reason(problem, made_up::gpu(), kMuch), "needs a buffer of");
}

TEST(ProblemSize, MemoryIsNoMoreThanTheProcessMayTake) {
  EXPECT_GT(memory_bytes(), 1e6);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer reserves more address space than the limit leaves";
#endif
  const TemporaryFolder folder;
  // Too little for the file of problems that it is to read, which does not end in an abort.
  write_bytes(folder / "problems", std::string(std::size_t{15} << 20, '\n'));
  const Result result =
      Process(folder,
              {"-c", "ulimit -v 300000; exec \"" LORATUNE_BENCH "\" --list --problems problems"},
              {"OCL_ICD_VENDORS=/nonexistent"}, "/bin/sh")
          .wait();
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_PRED2(says, result.err, "too little memory") << result.err;
  EXPECT_EQ(complaints(result), 1) << result.err;
}

}  // namespace
}  // namespace loratune
