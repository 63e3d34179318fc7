// Enumerates the points of a variant's search space that its constraint allows, without visiting
// the whole product of its axes.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "loratune/variants/variant.h"

namespace loratune {

// The values of each parameter, ascending: a space, or a coarser one inside it.
using AxisValues = std::vector<std::vector<std::int32_t>>;
AxisValues axes_of(const SearchSpace& space);

// Calls visit(config) for every point of the axes that allowed(config) holds for, the last
// parameter varying fastest. All points that share their first parameters are passed over at once
// when allowed() refuses the first of them, the one with the smallest values in the other places:
// what SearchSpace::constraint promises makes that right.
void for_each_allowed(const AxisValues& axes, const std::function<bool(const Config&)>& allowed,
                      const std::function<void(const Config&)>& visit);

// The configs from the axes that the variant's constraint allows for the problem. None where the
// variant does not support it.
std::vector<Config> allowed_configs(const Variant& variant, const AxisValues& axes,
                                    const Problem& problem, const DeviceInfo& device);

// The variant's axes, thinned until no problem has more than `most` configs of distinct plans. One
// value at a time is left out of the longest axis: the value that is the most steps away from any
// default's. Values of the default configs stay, so the result can still exceed `most`.
AxisValues thinned_axes(const Variant& variant, std::span<const Problem> problems,
                        const DeviceInfo& device, int most);

// Leaves out each config whose plan is equal to an earlier config's. All configs must be allowed.
std::vector<Config> distinct_configs(const Variant& variant, const std::vector<Config>& configs,
                                     const Problem& problem, const DeviceInfo& device);

}  // namespace loratune
