// Some configs compute x A^T again and again, up to n times. One that repeats too much is not
// timed: it cannot be the fastest, and its one run may take as long as all other work.
#pragma once

namespace loratune {

// Too much is more than `times` the work that has to be done, where that costs more than `cost`:
// flops before anything was timed, else nanoseconds at the rate of what was timed.
struct WorkLimit {
  double times, cost;
};

// A gate and a bench have timed nothing yet. A gate has minutes for all its cases; a bench is to
// show the negative control as far as that is bearable.
inline constexpr WorkLimit kGatedWork = {5, 1e7};
inline constexpr WorkLimit kBenchedWork = {20, 1e9};
// A sweep has the default's time, and many problems; a recording is to have every config that it
// can.
inline constexpr WorkLimit kSweptWork = {5, 5e6};
inline constexpr WorkLimit kRecordedWork = {5, 20e6};

constexpr bool repeats_too_much(const WorkLimit& limit, double times, double cost) {
  return times > limit.times && cost > limit.cost;
}

}  // namespace loratune
