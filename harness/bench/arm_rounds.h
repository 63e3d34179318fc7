// Times arms in paired, interleaved rounds until there are as many as wanted or time is up.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/bench/arm.h"
#include "tuner/paired_samples.h"

namespace loratune {

struct RoundLimits {
  int rounds = 0;       // undisturbed rounds wanted
  double share_s = 0;   // the time that they may take
  double floor_ns = 0;  // an empty launch; no arm near it is given up as slow
  std::uint64_t seed = 0;
};

struct ArmRounds {
  PairedSamples samples;
  int void_rounds = 0;  // that other load disturbed
};

// Times the arms that are correct. An arm whose run fails gets the outcome `runtime` and leaves; an
// arm that is far behind after a few rounds leaves too, and keeps its times. Throws OpenclError
// where the canary itself fails.
ArmRounds time_arms(std::vector<BenchArm>& arms, Probes& probes, const RoundLimits& limits);

}  // namespace loratune
