// A BenchArm is something that --bench times on a problem: a plan of ours, another library, or an
// empty launch.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "harness/check/checker.h"
#include "harness/timing/round_timer.h"
#include "harness/timing/weight_ring.h"

namespace loratune {

struct BenchArm {
  std::string label;  // what runs, in words
  int launches = 0;   // kernels that it enqueues on the device; 0 where a library does not say
  bool on_device = true;  // by its units, and not by threads of the process
  bool computes = true;  // the problem; an empty launch does not
  TimedArm timed;
  // Runs the arm on fresh operands and compares with the oracle. An arm that computes nothing is
  // always right.
  std::function<CheckResult()> check;
  std::function<EventReading()> read_events;  // none: the arm has no events of its own
  Outcome outcome = Outcome::correct;         // another outcome: the arm is not timed
  std::string detail;                         // why the outcome is not correct
  double error_over_bound = 0;                // of the latest check
};

// Runs `work` for an arm. What it throws becomes the arm's outcome: a rival that fails is a result,
// and only the session's own failure ends the run.
template <class F>
void guarded(BenchArm& arm, F&& work) {
  try {
    work();
  } catch (const std::exception& error) {
    arm.outcome = Outcome::runtime;
    arm.detail = error.what();
  }
}

// The arms that compute take the operands and the oracle of `checker`, which outlives them.
BenchArm plan_arm(Engine& engine, Checker& checker, WeightRing& ring, const LaunchPlan& plan);

// One empty launch, of a kernel with one buffer: what any kernel's run costs at least. `probes`
// outlives it.
BenchArm launch_arm(Probes& probes);

// One copy of all of y to another buffer, by the driver: what a product that moves little but y is
// held against.
BenchArm copy_arm(Engine& engine, Checker& checker);

// The default of another case, on operands of its own: what the problem costs without DoRA, or with
// one adapter for all rows. `what` says in the label which.
BenchArm other_case_arm(Engine& engine, const Case& other, Cache cache, const std::string& what);

// Two cblas_sgemm on the host, of a group one and one a slice, on all its cores; narrow operands
// are widened beforehand, and y stays f32. The weights rotate over copies that take more than twice
// `cache_bytes`; with 0 they stay warm.
BenchArm openblas_arm(Checker& checker, std::int64_t cache_bytes);

// `; bf16 widened to f32 outside of the timing`, of a rival that computes in float. Empty for f32.
std::string widened_note(const Problem& problem);

// The worst |y - oracle| / allowed over all elements. `allowed` is bound() or, where larger, what
// sums with this unit round-off may be off by: CLBlast in half also sums in half.
double worst_error(const Problem& problem, const std::vector<float>& y, const Oracle& oracle,
                   double unit_roundoff);

}  // namespace loratune
