#include "loratune/dispatch/default_choice.h"

#include <algorithm>

namespace loratune {

namespace {

// What suits so many rows does for one and for hundreds: on two AVX-512 cores, 1 to 512 rows, ranks
// 4 to 64, it took 0.62 to 0.94 of the time of what suits one, in the geometric mean.
constexpr std::int64_t kRowsOfAnyBatch = 64;

Choice planned_for(const Variant& variant, const Problem& problem, const DeviceInfo& device) {
  return {&variant, variant.default_config(problem, device), DeviceMatch::none,
          ShapeMatch::fallback};
}

struct Fitting {
  const Variant* variant;
  Fit fit;
};

// The variants that may be a default of the problem, the best first; of equal fit in their order.
std::vector<Fitting> by_fit(const Problem& problem, const DeviceInfo& device) {
  std::vector<Fitting> all;
  for (const Variant* variant : variants()) {
    if (!variant->supports(problem, device)) continue;
    const Fit fit = variant->fit(problem, device);
    if (fit != Fit::never) all.push_back({variant, fit});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Fitting& a, const Fitting& b) { return a.fit > b.fit; });
  return all;
}

}  // namespace

Choice default_choice(const Problem& problem, const DeviceInfo& device) {
  const Variant* best = best_fit(problem, device);
  return best == nullptr ? Choice{} : planned_for(*best, problem, device);
}

Choice default_choice(const Problem& problem, const DeviceInfo& device, Mode mode) {
  if (mode == Mode::batch_invariant) {
    const Problem single = regardless_of_m(problem, mode);
    Problem some = problem;
    for (const std::int64_t rows : {kRowsOfAnyBatch, std::int64_t{1}}) {
      some.m = rows;
      const Choice choice = default_choice(some, device);
      if (choice.variant == nullptr) break;
      const auto runs = [&](const Problem& one) {
        return can_run(*choice.variant, choice.config, one, device);
      };
      if (runs(single) && runs(problem)) return choice;
    }
  }
  return default_choice(problem, device);
}

std::vector<Choice> fallback_choices(const Problem& problem, const DeviceInfo& device) {
  std::vector<Choice> choices;
  const auto add = [&](const Choice& choice) {
    if (choice.variant == nullptr) return;
    const bool known = std::any_of(choices.begin(), choices.end(), [&](const Choice& other) {
      return other.variant == choice.variant && other.config == choice.config;
    });
    if (!known) choices.push_back(choice);
  };
  add(default_choice(problem, device));
  const std::vector<Fitting> fitting = by_fit(problem, device);
  DeviceInfo smaller = device;
  for (; smaller.max_work_group_size >= 1; smaller.max_work_group_size /= 2) {
    for (const auto& [variant, fit] : fitting) {
      if (fit == Fit::last_resort || !variant->supports(problem, smaller)) continue;
      add(planned_for(*variant, problem, smaller));
    }
    smaller.local_mem_bytes /= 2;
  }
  smaller.max_work_group_size = 1;
  for (const auto& [variant, fit] : fitting) {
    if (fit == Fit::last_resort) add(planned_for(*variant, problem, smaller));
  }
  return choices;
}

const Variant* general_variant(const Problem& problem, const DeviceInfo& device) {
  for (const auto& [variant, fit] : by_fit(problem, device)) {
    if (fit == Fit::any_device) return variant;
  }
  return nullptr;
}

}  // namespace loratune
