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

// The name of the group that the problem is in.
std::string group_key(const Problem& problem);

// Part `shard` of `shards`, from 1, of a sweep's problems: as many as in the others, give or take
// one, since a sweep spends as much time on each. Together the parts are all problems. Problems
// that share programs stay together but where a part ends.
std::vector<Problem> shard_of(const std::vector<Problem>& problems, int shard, int shards);

// The problems in portions that a fleet's devices are handed one by one: each of one group, and
// small, so that many devices end at about the same time.
std::vector<std::vector<Problem>> portions_of(const std::vector<Problem>& problems);

// Candidates of a group in the order in which they are built: the variants take turns, so that
// each has its fair share wherever the time for building ends.
std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device);

}  // namespace loratune
