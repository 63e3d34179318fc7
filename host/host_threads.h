// HostThreads are the threads that a HostSession computes on where it is given none: a small pool,
// idle between calls.
//
// Threads: one thread at a time calls run() of the same HostThreads.
#pragma once

#include <memory>

namespace loratune {

// One part of a call's work. Parts of one call wait for nothing, so that they may run one after
// another; none throws.
using HostTask = void (*)(void* context, int index);

// Threads of the caller's: `run` calls task(context, 0) ... task(context, tasks - 1), each once, on
// whichever threads it likes, and returns when all have returned. It is never asked for more than
// `threads` tasks, and must not throw. `user` is handed to it as it is. Without a `run`, the
// calling thread does all.
struct HostExecutor {
  int threads = 1;
  void (*run)(void* user, int tasks, HostTask task, void* context) = nullptr;
  void* user = nullptr;
};

class HostThreads {
 public:
  // `threads`, of which the one that calls run() is one: 1 to kMostHostThreads, others are clamped.
  // Where the system gives no more threads, or no memory for them, there are as many as it gave.
  explicit HostThreads(int threads);
  ~HostThreads();
  HostThreads(const HostThreads&) = delete;
  HostThreads& operator=(const HostThreads&) = delete;

  int threads() const;
  // Allocates nothing and takes no lock. A thread that sleeps is woken, and what it comes too late
  // for the others have done.
  void run(int tasks, HostTask task, void* context);
  // This pool as an executor, which does not outlive it.
  HostExecutor executor();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

inline constexpr int kMostHostThreads = 1024;

}  // namespace loratune
