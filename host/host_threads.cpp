#include "loratune/host/host_threads.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace loratune {
namespace {

// How often a thread looks for work, or for the end of it, before it sleeps.
constexpr int kLooks = 2000;

// A ticket is one word, so that taking a task is one exchange: which call it is of, how many tasks
// that has, and which is the next.
constexpr unsigned kCountBits = 12;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
static_assert(kMostHostThreads <= static_cast<int>(kCountMask));

std::uint64_t make_ticket(std::uint64_t call, int tasks) {
  return call << (2 * kCountBits) | static_cast<std::uint64_t>(tasks) << kCountBits;
}
int tasks_of(std::uint64_t ticket) { return static_cast<int>(ticket >> kCountBits & kCountMask); }
int next_of(std::uint64_t ticket) { return static_cast<int>(ticket & kCountMask); }

}  // namespace

struct HostThreads::State {
  // Runs tasks until none is left to be taken.
  void work() {
    std::uint64_t seen = ticket.load(std::memory_order_acquire);
    while (next_of(seen) < tasks_of(seen)) {
      if (!ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) continue;
      // The call cannot end before this task has, so that what it is of stays.
      task(context, next_of(seen));
      done.fetch_add(1, std::memory_order_acq_rel);
      seen = ticket.load(std::memory_order_acquire);
    }
  }

  void serve() {
    for (;;) {
      std::uint64_t seen = ticket.load(std::memory_order_acquire);
      for (int look = 0; look < kLooks && next_of(seen) >= tasks_of(seen); ++look) {
        if (ending.load(std::memory_order_acquire)) return;
        std::this_thread::yield();
        seen = ticket.load(std::memory_order_acquire);
      }
      if (ending.load(std::memory_order_acquire)) return;
      if (next_of(seen) < tasks_of(seen)) {
        work();
      } else {
        ticket.wait(seen, std::memory_order_acquire);
      }
    }
  }

  std::atomic<std::uint64_t> ticket{0};
  std::atomic<int> done{0};
  std::atomic<bool> ending{false};
  std::uint64_t call = 0;
  HostTask task = nullptr;
  void* context = nullptr;
  const pid_t process = getpid();  // that the threads are of
  std::vector<std::thread> threads;
};

HostThreads::HostThreads(int threads) : state_(std::make_unique<State>()) {
  const int others = std::clamp(threads, 1, kMostHostThreads) - 1;
  state_->threads.reserve(static_cast<std::size_t>(others));
  try {
    for (int i = 0; i < others; ++i) state_->threads.emplace_back([this] { state_->serve(); });
  } catch (const std::exception&) {  // as many as there are: no more threads, or no memory for them
  }
}

HostThreads::~HostThreads() {
  state_->ending.store(true, std::memory_order_release);
  state_->ticket.store(make_ticket(++state_->call, 0), std::memory_order_release);
  state_->ticket.notify_all();
  if (getpid() != state_->process) {
    // A process that was forked has none of the threads: there is nothing to join, and what they
    // hold stays.
    static_cast<void>(state_.release());
    return;
  }
  for (std::thread& thread : state_->threads) thread.join();
}

int HostThreads::threads() const { return static_cast<int>(state_->threads.size()) + 1; }

void HostThreads::run(int tasks, HostTask task, void* context) {
  State& state = *state_;
  if (tasks <= 1 || state.threads.empty()) {
    for (int i = 0; i < tasks; ++i) task(context, i);
    return;
  }
  state.task = task;
  state.context = context;
  state.done.store(0, std::memory_order_relaxed);
  state.ticket.store(make_ticket(++state.call, tasks), std::memory_order_release);
  state.ticket.notify_all();
  state.work();
  for (int look = 0; state.done.load(std::memory_order_acquire) < tasks; ++look) {
    if (look > kLooks) std::this_thread::yield();
  }
}

HostExecutor HostThreads::executor() {
  return {threads(),
          [](void* user, int tasks, HostTask task, void* context) {
            static_cast<HostThreads*>(user)->run(tasks, task, context);
          },
          this};
}

}  // namespace loratune
