// A BenchArm is one way to compute a problem that --bench times: a plan of ours, or another
// library.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "harness/check/checker.h"
#include "harness/timing/round_timer.h"
#include "harness/timing/weight_ring.h"

namespace loratune {

struct BenchArm {
  std::string label;  // what runs, in words
  int launches = 0;   // kernels that it enqueues on the device; 0 where that is not ours to know
  bool on_device = true;
  TimedArm timed;
  // Runs it on fresh operands and compares with the oracle. None: it computes nothing.
  std::function<CheckResult()> check;
  std::function<EventReading()> read_events;  // none: it has no events of its own
  Outcome outcome = Outcome::correct;         // why it cannot run at all
  std::string detail;
};

// All take the operands, and in the end the oracle, of `checker`, which outlives them.
BenchArm plan_arm(Engine& engine, Checker& checker, WeightRing& ring, const LaunchPlan& plan);

// One empty launch, of a kernel with one buffer: what any kernel's run costs at least. `probes`
// outlives it.
BenchArm launch_arm(Probes& probes);

// Two cblas_sgemm on the host, on all its cores; f16 operands are widened beforehand, and y stays
// f32. `cache_bytes`: of which a rotating ring takes more than twice; 0 for warm weights.
BenchArm openblas_arm(Checker& checker, std::int64_t cache_bytes);

// Two GEMMs of CLBlast on the device, the second one accumulating: in half where the problem is f16
// and the device has cl_khr_fp16, else in f32 on operands widened beforehand. outcome `skipped` in
// a build without CLBlast.
bool have_clblast();
BenchArm clblast_arm(Engine& engine, Checker& checker, std::int64_t cache_bytes);

// The worst |y - oracle| as a fraction of what sums with this unit round-off may be off by, and at
// least of bound(). For arms that round elsewhere than ours: CLBlast's half sums in half.
double worst_error(const Problem& problem, const std::vector<float>& y, const Oracle& oracle,
                   double unit_roundoff);

}  // namespace loratune
