// The one call at a time that may use an object.
#pragma once

#include <atomic>

#include "capi/internal/boundary.h"

namespace loratune::capi {

class Alone {
 public:
  // Throws Refused where another call has it.
  explicit Alone(std::atomic<bool>& busy) : busy_(busy) {
    if (busy.exchange(true, std::memory_order_acquire)) {
      throw Refused(LORATUNE_BUSY, "another thread is using the object");
    }
  }
  ~Alone() { busy_.store(false, std::memory_order_release); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace loratune::capi
