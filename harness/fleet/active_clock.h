// An ActiveClock tells how long this process has run. A gap between two looks at it, in which the
// process was stopped or its machine slept, counts as a second at most: who is silent by this clock
// was silent while this process listened.
#pragma once

#include <algorithm>

namespace loratune {

class ActiveClock {
 public:
  // `now_s`: any clock's seconds. At the first look 0 seconds have passed.
  explicit ActiveClock(double now_s) : before_s_(now_s) {}

  // Wants to be asked in each turn of a loop.
  double at(double now_s) {
    constexpr double kGap = 1;
    active_s_ += std::min(now_s - before_s_, kGap);
    before_s_ = now_s;
    return active_s_;
  }

 private:
  double before_s_;
  double active_s_ = 0;
};

}  // namespace loratune
