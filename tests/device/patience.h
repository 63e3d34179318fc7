// How long a worker is waited for. What must succeed gets generous deadlines: they end a test that
// hangs and decide nothing else. What must hang gets a multiple of what a sound build takes on this
// machine just now, so that no sound build beside it is late, however slow or busy the machine is.
#pragma once

#include <gtest/gtest.h>

#include "environment.h"
#include "harness/base/clock.h"
#include "harness/worker/worker.h"
#include "test_plans.h"
#include "unit/temporary_folder.h"

namespace loratune {

constexpr double kGenerousSeconds = 600;

inline Deadlines generous_deadlines() {
  Deadlines deadlines;
  deadlines.open = deadlines.problem = deadlines.build = deadlines.run_slack = kGenerousSeconds;
  return deadlines;
}

// Seconds after which what has not ended hangs: ten times a sound build, measured once a process.
inline double patience_s() {
  static const double kPatience = [] {
    const TemporaryFolder cache;  // an empty one: the driver compiles
    const Environment variable("POCL_CACHE_DIR", cache.path());
    Worker worker("Portable Computing Language", generous_deadlines(), LORATUNE_BENCH, false);
    const double begun = seconds_now();
    EXPECT_EQ(worker.build(small_problem(), split_plan()).outcome, Outcome::correct);
    return 2 + 10 * (seconds_now() - begun);
  }();
  return kPatience;
}

}  // namespace loratune
