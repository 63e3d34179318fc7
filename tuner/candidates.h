// Which configs of a variant are tried on a group of problems.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loratune/variants/variant.h"

namespace loratune {

// One thing to try: a variant and a config of it.
struct Candidate {
  const Variant* variant = nullptr;
  Config config;
  bool operator==(const Candidate&) const = default;
};

// Up to `count` distinct configs of the variant that satisfy supports() and the constraint for at
// least one of `problems` on the device, the variant's default configs for them first. Exhaustive
// when the constrained space has at most `count` points; else seeded: half are mutations (one or
// two parameters moved) of the default configs, half are drawn uniformly from the constrained
// space. Problems of one call should share rank, dtype and accumulate, so that they share programs.
std::vector<Config> sample_configs(const Variant& variant, std::span<const Problem> problems,
                                   const DeviceInfo& device, int count, std::uint64_t seed);

// The candidates of one problem out of such a list: those that can run it, the default choice
// first, and of several whose plans are equal only the first.
std::vector<Candidate> candidates_for(const Problem& problem, const DeviceInfo& device,
                                      std::span<const Candidate> pool, const Candidate& anchor);

// Points of the variant's space that satisfy the constraint for the problem: what `seen` is a
// fraction of. 0 where supports() is false.
std::int64_t constrained_size(const Variant& variant, const Problem& problem,
                              const DeviceInfo& device);

}  // namespace loratune
