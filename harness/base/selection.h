// Finds what the options select: devices of this machine, variants of this build, and problems.
#pragma once

#include <string>
#include <vector>

#include "harness/base/options.h"
#include "loratune/engine/device.h"
#include "loratune/variants/variant.h"

namespace loratune {

// The indices of the devices that --device means: the one of that index, else all whose display
// name holds the selector; an empty selector means all. Throws Failure (kExitUsage) where none
// matches.
std::vector<std::size_t> matching_devices(const std::string& selector,
                                          const std::vector<Device>& devices);

// The device the options mean. Throws Failure: kExitNoDevice where there is none at all, kExitUsage
// where none, or more than one, matches.
Device select_device(const std::string& selector);

// The problems the options mean, the default grid where they say nothing; without duplicates.
// Throws Failure for a shape out of range, an unreadable file, or no problem at all.
std::vector<Problem> select_problems(const Options& options);

// The variants of --variants, all by default.
std::vector<const Variant*> select_variants(const Options& options);

// "Platform: name", how a device is shown.
std::string display_name(const DeviceInfo& device);

}  // namespace loratune
