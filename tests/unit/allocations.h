// What the threads of this program allocate, counted by the operators new and delete that
// allocations.cpp puts in place of the library's.
#pragma once

#include <cstdint>

namespace loratune {

struct Allocations {
  int count = 0;
  std::int64_t live = 0, peak = 0;  // bytes
  int before_failure = -1;          // that succeed before one fails; below 0: none fails
};

// Of the calling thread.
Allocations& allocations();

// The bytes that `run` held at most, beyond what was held before it.
template <class Run>
std::int64_t peak_of(Run run) {
  Allocations& counted = allocations();
  const std::int64_t before = counted.live;
  counted.peak = before;
  run();
  return counted.peak - before;
}

}  // namespace loratune
