// A sweep that taskset keeps on one CPU: what it says, what it records, and what a free process
// makes of that.
#include <gtest/gtest.h>
#include <sched.h>

#include "device/process.h"
#include "device/test_engine.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

const std::string kKey = "fwd_m3_k64_n64_r4_f32_acc";

TEST(CpuLimit, IsToldRecordedAndNotExactForTheWholeMachine) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int cpu = 0;
  while (CPU_ISSET(cpu, &allowed) == 0) ++cpu;
  const DeviceInfo& free = test_engine().info();
  if (free.type != DeviceType::cpu || free.compute_units < 2 || free.usable_cpus > 0) {
    GTEST_SKIP() << "needs a CPU device of two or more compute units, all of which may be used";
  }
  const TemporaryFolder folder;
  const Words sweep = {"--sweep",  "--device", free.platform, "--problem", kKey,
                       "--budget", "0.2",      "--out",       "t.json"};
  const Result limited = Process(folder, Words{"-c", std::to_string(cpu), LORATUNE_BENCH} + sweep,
                                 {}, "/usr/bin/taskset")
                             .wait();
  if (limited.code == 127) GTEST_SKIP() << "taskset is not installed";
  ASSERT_EQ(limited.code, 0) << limited.err;
  EXPECT_NE(limited.err.find("the budget of 0.2 s is less than"), std::string::npos) << limited.err;
  const ParsedTunedFile parsed = load_tuned_file(folder / "t.json");
  ASSERT_TRUE(parsed.file) << parsed.error;
  const TunedDevice& device = parsed.file->devices.at("d0");
  const auto match = [&](const Words& before, const std::string& program) {
    const Words pick = {"--pick", kKey, "--device", free.platform, "--tuned", "t.json"};
    const std::string out = Process(folder, before + pick, {}, program).wait().out;
    const std::size_t at = out.find("device match: ");
    return at == std::string::npos ? out : out.substr(at + 14, out.find('\n', at) - at - 14);
  };
  const std::string there = match({"-c", std::to_string(cpu), LORATUNE_BENCH}, "/usr/bin/taskset");
  EXPECT_EQ(there.rfind("exact, d0", 0), 0U) << there;
  const std::string here = match({}, LORATUNE_BENCH);
  if (device.compute_units == free.compute_units) {
    EXPECT_EQ(device.usable_cpus, 1);
    EXPECT_NE(limited.err.find("leaves this process 1 of " + std::to_string(free.compute_units)),
              std::string::npos)
        << limited.err;
    EXPECT_NE(here.find("measured with 1 of"), std::string::npos) << here;
    EXPECT_EQ(here.rfind("similar, d0", 0), 0U) << here;
  } else {
    EXPECT_EQ(here.rfind("exact", 0), std::string::npos) << "a driver that counts what it may use";
  }
}

}  // namespace
}  // namespace loratune
