#include "harness/base/device_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "harness/base/failure.h"

namespace loratune {
namespace {

class DeviceLockTest : public testing::Test {
 protected:
  DeviceLockTest() { setenv("LORATUNE_LOCK", std::to_string(getpid()).c_str(), 1); }
  ~DeviceLockTest() override { unsetenv("LORATUNE_LOCK"); }

  static std::string refusal(const std::string& place) {
    try {
      const DeviceLock lock(place, 0);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitInconclusive) << "nothing failed";
      return failure.what();
    }
    return {};
  }
};

TEST_F(DeviceLockTest, IsOnesAtATimeAndNamesItsHolder) {
  {
    const DeviceLock lock("gpu-0", 0);
    const std::string why = refusal("gpu-0");
    EXPECT_NE(why.find("gpu-0"), std::string::npos) << why;
    EXPECT_NE(why.find("(process " + std::to_string(getpid()) + ")"), std::string::npos) << why;
    EXPECT_EQ(refusal("gpu-1"), "") << "another device";
  }
  EXPECT_EQ(refusal("gpu-0"), "");
}

TEST_F(DeviceLockTest, EndsWithItsHolderHoweverThatEnds) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    const DeviceLock lock("gpu-0", 0);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_NE(refusal("gpu-0"), "");
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  EXPECT_EQ(refusal("gpu-0"), "");
  close(ready[0]);
  close(ready[1]);
}

TEST_F(DeviceLockTest, AsksForNoFolder) {
  setenv("XDG_RUNTIME_DIR", "/proc/nowhere", 1);
  const DeviceLock lock("gpu-0", 0);
  setenv("XDG_RUNTIME_DIR", "/tmp", 1);
  EXPECT_NE(refusal("gpu-0"), "") << "the same device, whatever the environment";
  unsetenv("XDG_RUNTIME_DIR");
}

TEST_F(DeviceLockTest, TellsLongNamesApart) {
  const std::string name(300, 'x');
  const DeviceLock lock(name + "0", 0);
  EXPECT_EQ(refusal(name + "1"), "");
  EXPECT_NE(refusal(name + "0"), "");
}

TEST_F(DeviceLockTest, ManyMayAskWhoHoldsIt) {
  const DeviceLock lock("gpu-0", 0);
  for (int i = 0; i < 20; ++i) EXPECT_NE(refusal("gpu-0"), "");
}

}  // namespace
}  // namespace loratune
