#include "harness/bench/judge.h"

#include <cmath>

namespace loratune {

Judge::Judge(Engine& engine, Probes& probes)
    : engine_(engine), probes_(probes), ceilings_(measure_ceilings(engine, probes)) {}

void Judge::judge(const Problem& problem, BenchArm& arm, int number, const PairedSamples& samples,
                  RivalResult& rival) {
  rival.outcome = arm.outcome;
  rival.detail = arm.detail;
  rival.launches = arm.launches;
  rival.error_over_bound = std::isfinite(arm.error_over_bound) ? arm.error_over_bound : 0;
  if (arm.outcome != Outcome::correct) return;
  rival.times_ns = samples.times_ns(number);
  if (rival.times_ns.empty()) {
    rival.outcome = Outcome::skipped;
    rival.detail = "every round was disturbed by other load on this machine";
    return;
  }
  rival.wall_ns = samples.median_ns(number);
  rival.slope_ns = samples.slope_ns(number);
  if (!arm.computes) return;
  rival.throughput = believed_throughput(problem, arm, rival.wall_ns);
  if (!rival.throughput.refused.empty()) {
    rival.outcome = Outcome::skipped;
    rival.detail = rival.throughput.refused;
    return;
  }
  if (!arm.read_events) return;
  guarded(arm, [&] {
    const EventReading reading = arm.read_events();
    rival.event_ns = reading.fault.empty() ? reading.ns : 0;
    rival.event_fault = reading.fault;
  });
}

Throughput Judge::believed_throughput(const Problem& problem, const BenchArm& arm, double wall_ns) {
  const bool known = ceilings_hold(engine_.info(), arm.on_device);
  Throughput first = throughput(problem, wall_ns, known ? ceilings_ : Ceilings{});
  if (!known || first.refused.empty() || !(wall_ns > 0) || asks_left_ == 0) return first;
  --asks_left_;
  ceilings_ = highest(ceilings_, measure_ceilings(engine_, probes_));
  return throughput(problem, wall_ns, ceilings_);
}

}  // namespace loratune
