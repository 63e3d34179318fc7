#include "harness/base/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "harness/base/failure.h"

namespace loratune {
namespace {

// When the first came, on the monotonic clock; 0: not yet.
volatile std::sig_atomic_t g_first_s = 0;

void on_signal(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto now_s = static_cast<std::sig_atomic_t>(now.tv_sec + 1);
  if (g_first_s == 0) g_first_s = now_s;
  if (now_s - g_first_s >= 2) _exit(kExitInterrupted);
}

}  // namespace

void note_interrupts() {
  // No SA_RESTART: a wait for the worker is to end early too.
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup's wish
  }
}

bool interrupted() { return g_first_s != 0; }

}  // namespace loratune
