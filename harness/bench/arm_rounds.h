// Times arms in paired, interleaved rounds until there are as many as wanted or time is up.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/bench/arm.h"
#include "harness/process/shared_page.h"
#include "tuner/paired_samples.h"

namespace loratune {

struct RoundLimits {
  int rounds = 0;       // undisturbed rounds wanted
  double share_s = 0;   // the time that they may take
  double floor_ns = 0;  // an empty launch; no arm near it is given up as slow
  std::uint64_t seed = 0;
};

struct TimedRound {
  Round round;
  RoundReply reply;
};

struct ArmRounds {
  PairedSamples samples;
  std::vector<TimedRound> rounds;  // that the samples are of
  int void_rounds = 0;             // that other load disturbed
};

// Times the arms that are correct. An arm whose run fails gets the outcome `runtime` and leaves; an
// arm that is far behind after a few rounds leaves too, and keeps its times. Throws OpenclError
// where the canary itself fails. `shared` is told all along which arm is at work.
ArmRounds time_arms(std::vector<BenchArm>& arms, Probes& probes, const RoundLimits& limits,
                    WorkerShared& shared);

}  // namespace loratune
