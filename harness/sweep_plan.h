// What a sweep tries: a function of its options and the device alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatch/choice.h"
#include "harness/weight_ring.h"
#include "tuner/search.h"

namespace loratune {

struct SweepOptions {
  std::vector<Problem> problems;
  std::vector<const Variant*> variants;
  Mode mode = Mode::fast;
  double budget_s = 1200;
  std::uint64_t seed = 1;
  Cache cache = Cache::warm;
};

// One problem and what is tried on it; candidates[0] is the default choice.
struct ProblemPlan {
  Problem problem;
  std::vector<Candidate> candidates;
  double space = 0;  // points of all variants' spaces that satisfy their constraints
};

// Problems that share op, dtype, accumulate and rank, and so programs.
struct Group {
  std::string key;
  std::vector<ProblemPlan> problems;
};

// Candidates of a group in the order in which they are built: the variants take turns, so that
// each has its fair share wherever the time for building ends.
std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device);

}  // namespace loratune
