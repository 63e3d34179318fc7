// A Candidate is a variant with one of its configs. Two lists of them are made here: a sample of
// one variant's configs, as a check tries them, and the candidates of a problem, as a recording
// times them. Nothing here looks at times; tuner/strategy.h does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loratune/variants/variant.h"

namespace loratune {

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

// The candidates of one problem: `anchor`, its default, then each of `pool` that can run the
// problem by a plan that no earlier candidate of the same variant has.
std::vector<Candidate> candidates_for(const Problem& problem, const DeviceInfo& device,
                                      std::span<const Candidate> pool, const Candidate& anchor);

}  // namespace loratune
