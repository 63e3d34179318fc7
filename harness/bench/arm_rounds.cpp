#include "harness/bench/arm_rounds.h"

#include <algorithm>
#include <cmath>

#include "harness/base/clock.h"
#include "harness/bench/samples.h"
#include "tuner/stopping.h"

namespace loratune {
namespace {

constexpr double kFarBehind = 8;
constexpr double kCanaryLimit = 2;

std::vector<int> correct_arms(const std::vector<BenchArm>& arms) {
  std::vector<int> correct;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].outcome == Outcome::correct) correct.push_back(static_cast<int>(i));
  }
  return correct;
}

RoundShape shape_of(const std::vector<BenchArm>& arms, const std::vector<int>& running,
                    const RoundLimits& limits) {
  std::vector<double> block_ns;
  for (const int arm : running) {
    const double probe = arms[static_cast<std::size_t>(arm)].timed.probe_ns;
    block_ns.push_back(probe * block_runs(probe));
  }
  return shape_rounds(block_ns, limits.share_s * 1e9, limits.rounds);
}

// Drops the arms that take many times as long as the best arm that computes the problem.
void drop_far_behind(std::vector<int>& running, const std::vector<BenchArm>& arms,
                     const PairedSamples& samples, double floor_ns) {
  double best = HUGE_VAL;
  for (const int arm : running) {
    if (arms[static_cast<std::size_t>(arm)].computes) {
      best = std::min(best, samples.median_ns(arm));
    }
  }
  std::erase_if(running, [&](int arm) {
    return samples.median_ns(arm) > kFarBehind * best &&
           samples.median_ns(arm) > kFarBehind * floor_ns;
  });
}

}  // namespace

ArmRounds time_arms(std::vector<BenchArm>& arms, Probes& probes, const RoundLimits& limits,
                    WorkerShared& shared) {
  ArmRounds timed{PairedSamples(static_cast<int>(arms.size())), {}, 0};
  // It is asked for an arm before each block of that arm.
  const auto find_arm = [&](int id) -> TimedArm& {
    ++shared.steps;
    return arms[static_cast<std::size_t>(id)].timed;
  };
  std::vector<int> running = correct_arms(arms);
  const RoundShape shape = shape_of(arms, running, limits);
  CanaryWatch watch(kCanaryLimit);
  const double begin = seconds_now();
  int valid = 0;
  const RoundQuota quota{.wanted = limits.rounds};
  for (int tried = 0;
       !running.empty() && quota.wants_more(valid, tried, seconds_now() - begin, limits.share_s);
       ++tried) {
    Round round = shuffled_round(limits.seed, tried, running, shape.sub_blocks);
    round.doubled = shape.doubled;
    int& at = shared.current_arm = kCanary;
    RoundReply reply;
    try {
      reply = time_round(round, find_arm, probes, at);
    } catch (const OpenclError& error) {
      if (at == kCanary) throw;
      arms[static_cast<std::size_t>(at)].outcome = Outcome::runtime;
      arms[static_cast<std::size_t>(at)].detail = error.what();
      std::erase(running, at);
      continue;
    }
    if (!watch.undisturbed(round, reply)) {
      ++timed.void_rounds;
      continue;
    }
    timed.samples.add(round, reply);
    timed.rounds.push_back({round, reply});
    if (++valid == kRoundsToSeeFar) {
      drop_far_behind(running, arms, timed.samples, limits.floor_ns);
    }
  }
  shared.current_arm = kNoArm;
  return timed;
}

}  // namespace loratune
