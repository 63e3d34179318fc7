// What the options select, of this machine and of this build.
#pragma once

#include <string>
#include <vector>

#include "harness/base/options.h"
#include "loratune/engine/device.h"
#include "loratune/variants/variant.h"

namespace loratune {

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
