#include "harness/base/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "harness/base/failure.h"

namespace loratune {
namespace {

// How a process ends that notes interrupts and then gets the signal: 0 where it noticed.
int end_of_process_with(int signal, bool ignored) {
  const pid_t child = fork();
  if (child == 0) {
    if (ignored) std::signal(signal, SIG_IGN);
    note_interrupts();
    if (interrupted()) _exit(1);
    raise(signal);
    _exit(interrupted() ? 0 : 2);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Interrupt, IsCtrlCAndATerminalOrASchedulerThatEndsTheJob) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(end_of_process_with(signal, false), 0) << signal;
  }
  EXPECT_EQ(end_of_process_with(SIGHUP, true), 2) << "nohup's wish";
}

TEST(Interrupt, ASecondOneEndsTheProcessAtOnceUnlessItComesWithTheFirst) {
  const pid_t child = fork();
  if (child == 0) {
    note_interrupts();
    raise(SIGTERM);
    raise(SIGTERM);
    sleep(3);
    raise(SIGINT);
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kExitInterrupted);
}

}  // namespace
}  // namespace loratune
