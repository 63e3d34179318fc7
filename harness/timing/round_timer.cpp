#include "harness/timing/round_timer.h"

#include <algorithm>

namespace loratune {
namespace {

// One discarded run, then 20 runs or 50 ms.
void warm_up(TimedArm& arm) {
  if (arm.warm) return;
  double spent = 0;
  for (int i = 0; i < 21 && spent < 50e6; ++i) spent += time_run_ns(arm);
  arm.warm = true;
}

double block(const TimedArm& arm, int runs) {
  // Accumulating runs change y; without this they would drift off to infinity.
  arm.restore();
  return time_block_ns(runs, arm.run, arm.finish);
}

}  // namespace

double time_run_ns(const TimedArm& arm) { return time_block_ns(1, arm.run, arm.finish); }

double probe_ns(const TimedArm& arm) {
  constexpr int kMostRuns = 5;
  constexpr int kBlocks = 3;
  constexpr double kLongNs = 2e6;
  double least = time_run_ns(arm);
  for (int i = 1; i < kMostRuns && least < kLongNs; ++i) least = std::min(least, time_run_ns(arm));
  const int runs = block_runs(least);
  for (int i = 0; i < kBlocks && runs > 1; ++i) least = std::min(least, block(arm, runs));
  return least;
}

RoundReply time_round(const Round& round, const std::function<TimedArm&(int)>& arm, Probes& probes,
                      int& at) {
  RoundReply reply;
  bool on_host = false;
  for (const int id : round.order) {
    if (id == kCanary) continue;
    at = id;
    warm_up(arm(id));
    on_host = arm(id).on_host;
  }
  const std::uint64_t steal = steal_ticks();
  for (const int id : round.order) {
    at = id;
    if (id == kCanary) {
      reply.ns.push_back(on_host ? probes.host_canary_ns() : probes.canary_ns());
      if (round.doubled) reply.doubled_ns.push_back(0);
      continue;
    }
    const TimedArm& timed = arm(id);
    const int runs = round.runs > 0 ? round.runs : block_runs(timed.probe_ns);
    reply.ns.push_back(block(timed, runs));
    if (round.doubled) reply.doubled_ns.push_back(block(timed, 2 * runs));
  }
  reply.stolen = steal_ticks() != steal;
  return reply;
}

}  // namespace loratune
