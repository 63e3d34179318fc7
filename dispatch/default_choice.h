// What runs where no tuned file says otherwise: the anchor of every race and the fallback of every
// pick.
#pragma once

#include "dispatch/choice.h"

namespace loratune {

// A choice that can run on the device for any valid problem: `split`, or `naive` where the device
// has too little memory even for that.
Choice default_choice(const Problem& problem, const DeviceInfo& device);

}  // namespace loratune
