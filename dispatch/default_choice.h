// What runs where no tuned file says otherwise: the anchor of every race and the fallback of every
// pick.
#pragma once

#include <vector>

#include "loratune/dispatch/choice.h"

namespace loratune {

// A choice that can run on the device for any valid problem: `register_tiled` on a CPU, `tensor`
// where there are tensor cores, else `split`, or `naive` where the device has too little memory
// even for that.
Choice default_choice(const Problem& problem, const DeviceInfo& device);

// The same in a mode: for Mode::batch_invariant what it is for 64 rows, or else for one, if that
// can run one row too.
Choice default_choice(const Problem& problem, const DeviceInfo& device, Mode mode);

// What to try, in order, where the default's built kernel turns out to exceed what the driver
// grants it: the default; the best variant that asks for less on a smaller device, planned for this
// one, for half its work-group and local memory, a quarter and so on; then `naive` one work-item
// at a time.
std::vector<Choice> fallback_choices(const Problem& problem, const DeviceInfo& device);

}  // namespace loratune
