// What a sweep tries: a function of its options and the device alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/base/cache.h"
#include "loratune/dispatch/choice.h"
#include "tuner/candidates.h"
#include "tuner/strategy.h"

namespace loratune {

// What was chosen once for a problem, on this device or another.
struct Known {
  Problem problem;
  Candidate choice;
};

struct SweepOptions {
  std::vector<Problem> problems;
  std::vector<const Variant*> variants;
  Mode mode = Mode::fast;
  double budget_s = 570;
  int evaluations = 0;  // configs tried of a problem, at most; 0: as many as the time allows
  std::uint64_t seed = 1;
  Cache cache = Cache::warm;
  std::vector<Known> known;     // of an earlier tuned file: where the search begins
  std::vector<double> weights;  // how much each problem matters; empty: all the same
};

// Problems that are to have one choice: in Mode::batch_invariant all that differ only in m, in the
// other modes a single problem.
using Family = std::vector<Problem>;

// A family and what was tried on it so far; candidates[0] is the default choice.
struct FamilyPlan {
  Family problems;
  std::vector<Candidate> candidates;
  double weight = 1;
};

// Families that share op, dtype, accumulate and rank, and so programs.
struct Group {
  std::string key;
  std::vector<FamilyPlan> families;
};

// A line for a budget that is less than the sweep takes at least on so many devices, with how that
// was estimated; empty where the budget may do.
std::string budget_note(const SweepOptions& options, int devices = 1);

// The name of the group that the problem is in.
std::string group_key(const Problem& problem);

// Part `shard` of `shards`, from 1, of a sweep's problems: as many as in the others, give or take
// a family, since a sweep spends as much time on each. Together the parts are all problems.
// Families stay whole. Families that share programs stay together, except where a part ends.
std::vector<Problem> shard_of(const std::vector<Problem>& problems, Mode mode, int shard,
                              int shards);

// The problems in portions that a fleet's devices are handed one by one: each of one group,
// families whole, and small, so that many devices end at about the same time.
std::vector<std::vector<Problem>> portions_of(const std::vector<Problem>& problems, Mode mode);

// Each family with its default.
std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device);

// Every config of the variants that may run all of the family in the mode; variants are numbered in
// their order.
std::vector<SpacePoint> search_space(std::span<const Variant* const> variants, const Family& family,
                                     Mode mode, const DeviceInfo& device);

// The points that are the variants' defaults, in the order of the variants, then the proven points.
// A variant that is null, or does not support the problem, has none.
std::vector<std::size_t> starting_points(std::span<const Variant* const> variants,
                                         std::span<const SpacePoint> space, const Problem& problem,
                                         const DeviceInfo& device);

// Where the search in that space begins: with those points, then with what is known of
// the same problem, then of its neighbours.
std::vector<std::size_t> first_points(std::span<const Variant* const> variants,
                                      std::span<const SpacePoint> space, const Problem& problem,
                                      const DeviceInfo& device, std::span<const Known> known);

// The number of each point's program, equal where programs are.
std::vector<std::size_t> programs_of(std::span<const Variant* const> variants,
                                     std::span<const SpacePoint> space, const Problem& problem,
                                     const DeviceInfo& device);

}  // namespace loratune
