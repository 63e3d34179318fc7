// The points of a variant's search space that its constraint allows, found without visiting the
// whole product of its axes.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "loratune/variants/variant.h"

namespace loratune {

// The values of each parameter, ascending: a space, or a coarser one inside it.
using Axes = std::vector<std::vector<std::int32_t>>;
Axes axes_of(const SearchSpace& space);

// Calls visit(config) for every point of the axes that allowed(config) holds for, the last
// parameter varying fastest. All points that share their first parameters are passed over at once
// when allowed() refuses the first of them, the one with the smallest values in the other places:
// what SearchSpace::constraint promises makes that right.
void for_each_allowed(const Axes& axes, const std::function<bool(const Config&)>& allowed,
                      const std::function<void(const Config&)>& visit);

// Of one problem; nothing where supports() is false.
std::vector<Config> allowed_configs(const Variant& variant, const Axes& axes,
                                    const Problem& problem, const DeviceInfo& device);

// The variant's axes with values left out, one at a time from the longest axis and there the one
// that is the most steps from a default's, until no problem is left with more than `most` configs
// of distinct plans. Values of the variant's default configs stay, so `most` can be missed.
Axes thinned_axes(const Variant& variant, std::span<const Problem> problems,
                  const DeviceInfo& device, int most);

// Those of the configs whose plans are not equal to that of an earlier one. All must be allowed.
std::vector<Config> distinct_configs(const Variant& variant, const std::vector<Config>& configs,
                                     const Problem& problem, const DeviceInfo& device);

}  // namespace loratune
