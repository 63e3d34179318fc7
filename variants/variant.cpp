#include "loratune/variants/variant.h"

#include <algorithm>

namespace loratune {

std::vector<std::string_view> names_of(const Axes& axes) {
  std::vector<std::string_view> names;
  const auto add = [&](std::string_view name, bool stated) {
    if (stated) names.push_back(name);
  };
  add("bf16", axes.bf16);
  add("mixed", axes.mixed);
  add("slices", axes.slices);
  add("adapters", axes.adapters);
  add("dora", axes.dora);
  return names;
}

const Variant* find_variant(std::string_view name) {
  for (const Variant* variant : variants()) {
    if (variant->name == name) return variant;
  }
  return nullptr;
}

const Variant* best_fit(const Problem& problem, const DeviceInfo& device) {
  const Variant* best = nullptr;
  Fit highest = Fit::never;
  for (const Variant* variant : variants()) {
    if (!variant->supports(problem, device)) continue;
    const Fit fit = variant->fit(problem, device);
    if (fit <= highest) continue;
    best = variant;
    highest = fit;
  }
  return best;
}

bool can_run(const Variant& variant, const Config& config, const Problem& problem,
             const DeviceInfo& device) {
  return contains(variant.space, config) && variant.supports(problem, device) &&
         variant.space.constraint(config, problem, device);
}

}  // namespace loratune
