// The list of devices, for who wants to stand in front of each platform while it is asked.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "loratune/engine/device.h"

namespace loratune {

// Is told of each platform before it is asked for its name, and once more, with its name, before it
// is asked for its devices. A platform for which it returns a line is not asked; the line becomes
// the complaint.
using BeforePlatform = std::function<std::string(std::size_t number, const std::string& name)>;

// list_devices(), with `before`.
std::vector<Device> list_devices(std::vector<std::string>& complaints,
                                 std::vector<std::string>& platform_names,
                                 const BeforePlatform& before);

}  // namespace loratune
