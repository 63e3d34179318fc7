#include "loratune/variants/variant.h"

#include <algorithm>
#include <array>

namespace loratune {
namespace {

struct Axis {
  std::string_view name;
  bool Axes::*stated;
  bool (*has)(const Problem&);
};

constexpr std::array<Axis, 5> kAxes = {
    {{"bf16", &Axes::bf16,
      [](const Problem& p) { return p.dtype == Dtype::bf16 || weights_dtype(p) == Dtype::bf16; }},
     {"mixed", &Axes::mixed, [](const Problem& p) { return weights_dtype(p) != p.dtype; }},
     {"slices", &Axes::slices, [](const Problem& p) { return p.slices.count != 0; }},
     {"adapters", &Axes::adapters, [](const Problem& p) { return p.adapters != 0; }},
     {"dora", &Axes::dora, [](const Problem& p) { return p.dora; }}}};

}  // namespace

std::vector<std::string_view> names_of(const Axes& axes) {
  std::vector<std::string_view> names;
  for (const Axis& axis : kAxes) {
    if (axes.*axis.stated) names.push_back(axis.name);
  }
  return names;
}

bool covers(const Axes& axes, const Problem& problem) {
  return std::all_of(kAxes.begin(), kAxes.end(),
                     [&](const Axis& axis) { return axes.*axis.stated || !axis.has(problem); });
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
