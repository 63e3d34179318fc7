#include "loratune/host/host_threads.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

namespace loratune {
namespace {

// As Python's multiprocessing forks: the child has the object, and none of its threads.
TEST(HostThreads, AForkedProcessMayRunAndEndThem) {
  auto threads = std::make_unique<HostThreads>(4);
  const pid_t child = fork();
  if (child == 0) {
    int tasks = 0;
    threads->run(
        4, [](void* count, int) { ++*static_cast<int*>(count); }, &tasks);
    threads.reset();
    _exit(tasks == 4 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace loratune
