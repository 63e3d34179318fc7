// The clock that everything here is timed by.
#pragma once

#include <chrono>

namespace loratune {

// Steady, in seconds from some fixed point.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace loratune
