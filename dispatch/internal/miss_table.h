// A MissTable holds the built-in defaults of problems that a tuned file has nothing for, and counts
// how often each was asked for. It takes problems from any number of threads, without locks and in
// a fixed size: what does not fit is not counted, and its default is worked out every time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dispatch/internal/problem_key.h"

namespace loratune {

class MissTable {
 public:
  static constexpr std::size_t kSlots = 1024;  // a power of two

  // The default of the problem, which `make` works out the first time, and counts the problem.
  template <class Make>
  Choice count(const ProblemKey& key, Make make) noexcept {
    constexpr std::size_t kProbes = 16;
    const std::uint64_t start = hash(key);
    for (std::size_t i = 0; i < kProbes; ++i) {
      Slot& slot = slots_[(start + i) % kSlots];
      std::uint32_t state = slot.state.load(std::memory_order_acquire);
      if (state == kFree && slot.state.compare_exchange_strong(state, kClaimed)) {
        slot.times.store(1, std::memory_order_relaxed);
        slot.key = key;
        slot.choice = make();
        slot.state.store(kFilled, std::memory_order_release);
        return slot.choice;
      }
      // A slot that another thread is filling is passed over, never waited for: the same problem
      // may then take two slots, which all() adds up.
      if (state == kFilled && slot.key == key) {
        slot.times.fetch_add(1, std::memory_order_relaxed);
        return slot.choice;
      }
    }
    return make();
  }

  // Keys and their counts, in the order of keys.
  std::vector<std::pair<ProblemKey, std::uint64_t>> all() const {
    std::vector<std::pair<ProblemKey, std::uint64_t>> found;
    for (const Slot& slot : slots_) {
      if (slot.state.load(std::memory_order_acquire) != kFilled) continue;
      found.emplace_back(slot.key, slot.times.load(std::memory_order_relaxed));
    }
    std::sort(found.begin(), found.end());
    std::vector<std::pair<ProblemKey, std::uint64_t>> summed;
    for (const auto& [key, times] : found) {
      if (summed.empty() || summed.back().first != key) summed.emplace_back(key, 0);
      summed.back().second += times;
    }
    return summed;
  }

 private:
  enum : std::uint32_t { kFree, kClaimed, kFilled };
  // The key and the choice are written by the thread that claims the slot, and read once it is
  // filled.
  struct Slot {
    std::atomic<std::uint32_t> state = kFree;
    std::atomic<std::uint64_t> times = 0;
    ProblemKey key;
    Choice choice;
  };
  std::array<Slot, kSlots> slots_;
};

}  // namespace loratune
