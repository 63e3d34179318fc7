#include "harness/base/device_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "harness/base/failure.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

class DeviceLockTest : public testing::Test {
 protected:
  DeviceLockTest() { setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1); }
  ~DeviceLockTest() override { unsetenv("XDG_RUNTIME_DIR"); }

  static std::string refusal(const std::string& place) {
    try {
      const DeviceLock lock(place, 0);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitDeviceFault);
      return failure.what();
    }
    return {};
  }

  TemporaryFolder folder_;
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

TEST_F(DeviceLockTest, TakesNoFolderThatIsNotItsOwn) {
  std::filesystem::create_symlink("/", folder_ / "loratune");
  EXPECT_THROW(lock_folder(), Failure);
  setenv("XDG_RUNTIME_DIR", "/proc/nowhere", 1);
  EXPECT_THROW(lock_folder(), Failure);
}

TEST_F(DeviceLockTest, IsInTheUsersRuntimeFolderElseInTmp) {
  EXPECT_EQ(lock_folder(), (folder_ / "loratune").string());
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(lock_folder(), "/tmp/loratune-" + std::to_string(geteuid()));
}

}  // namespace
}  // namespace loratune
