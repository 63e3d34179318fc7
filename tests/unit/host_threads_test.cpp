#include "loratune/host/host_threads.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>

#include "unit/allocations.h"

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

// Whichever allocation fails there is an exception, or a pool of the threads that there are.
TEST(HostThreads, AreAsManyAsThereIsMemoryFor) {
  int most = 0;
  int fewer = 0;
  for (int before = 0; before < 12; ++before) {
    allocations().before_failure = before;
    std::unique_ptr<HostThreads> threads;
    try {
      threads = std::make_unique<HostThreads>(4);
    } catch (const std::bad_alloc&) {
    }
    allocations().before_failure = -1;
    if (threads == nullptr) continue;
    std::atomic<int> tasks = 0;
    threads->run(
        4, [](void* count, int) { ++*static_cast<std::atomic<int>*>(count); }, &tasks);
    EXPECT_EQ(tasks, 4);
    most = std::max(most, threads->threads());
    fewer += threads->threads() < 4 ? 1 : 0;
  }
  EXPECT_EQ(most, 4);
  EXPECT_EQ(fewer, 3) << "the other threads but the first, the second, and the third failed";
}

}  // namespace
}  // namespace loratune
