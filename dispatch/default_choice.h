// What runs where no tuned file says otherwise: the anchor of every race and the fallback of every
// pick. The variants are asked what they are to the problem on the device; none is known by name.
//
// Threads: any number of them may call these functions at a time.
#pragma once

#include <vector>

#include "loratune/dispatch/choice.h"

namespace loratune {

// The variant of the highest Fit with its default config: a choice that can run on the device. Its
// variant is null where no variant covers the problem's axes.
Choice default_choice(const Problem& problem, const DeviceInfo& device);

// The same in a mode: for Mode::batch_invariant what it is for 64 rows, or else for one, if that
// can run one row too.
Choice default_choice(const Problem& problem, const DeviceInfo& device, Mode mode);

// What to try, in order, where the default's built kernel turns out to exceed what the driver
// grants it: the default; each variant in the order of its Fit, planned for this device, for half
// its work-group and local memory, a quarter and so on; then the last resort, one work-item at a
// time.
std::vector<Choice> fallback_choices(const Problem& problem, const DeviceInfo& device);

// The variant of Fit::any_device: the honest rival of a special one. Nullptr where there is none
// for the problem.
const Variant* general_variant(const Problem& problem, const DeviceInfo& device);

}  // namespace loratune
