#include "harness/bench/benchmark_flags.h"

#include <gtest/gtest.h>

#include "harness/base/failure.h"

namespace loratune {
namespace {

// What the library is handed for the flag, or the refusal.
std::string handed(const std::string& flag) {
  Options options;
  options.benchmark_flags = {flag};
  try {
    return benchmark_flags(options).back();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    return failure.what();
  }
}

TEST(BenchmarkFlags, AMinimumTimeMayHaveTheUnitOfNewerLibraries) {
  EXPECT_EQ(handed("--benchmark_min_time=0.5"), "--benchmark_min_time=0.5");
  EXPECT_EQ(handed("--benchmark_min_time=0.5s"), "--benchmark_min_time=0.5");
  EXPECT_EQ(handed("--benchmark_min_time=2s"), "--benchmark_min_time=2");
  EXPECT_EQ(handed("--benchmark_filter=rows"), "--benchmark_filter=rows");
}

TEST(BenchmarkFlags, AMinimumTimeOfAnythingElseIsRefused) {
  const std::string flag = "--benchmark_min_time=";
  for (const char* value : {"s", "0.5ss", "0s", "-1s", "infs", "0.5ms", "0.5 s"}) {
    EXPECT_EQ(handed(flag + value), flag + value + ": a number of seconds is wanted, like 0.5");
  }
  EXPECT_EQ(handed(flag + "100x"),
            flag + "100x: --bench takes no number of iterations, but of seconds, like 0.5 or 0.5s");
  EXPECT_EQ(handed("--benchmark_min_warmup_time=1s"),
            "--benchmark_min_warmup_time=1s: a number of seconds is wanted, like 0.5");
}

}  // namespace
}  // namespace loratune
