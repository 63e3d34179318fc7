// The machine's devices, and why a driver shows none: what the environment says of that is read
// here and not by the engine.
#pragma once

#include <string>
#include <vector>

#include "loratune/engine/device.h"

namespace loratune {

// list_devices() under a PlatformGuard, with complaints too about drivers that are installed and
// show no platform, and with the reason where PoCL shows nothing because its cache folder cannot be
// written.
std::vector<Device> find_devices(std::vector<std::string>& complaints);

}  // namespace loratune
