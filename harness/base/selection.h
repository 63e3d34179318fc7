// Finds what the options select: devices of this machine, variants of this build, and problems.
#pragma once

#include <string>
#include <vector>

#include "harness/base/options.h"
#include "loratune/engine/device.h"
#include "loratune/variants/variant.h"

namespace loratune {

// The indices of the devices that --device means: the device of that index, else all devices
// whose display name holds the selector. An empty selector means all. Throws Failure (kExitUsage)
// where no device matches, with the complaints of list_devices(): the one that is meant may be
// among the devices that cannot be used.
std::vector<std::size_t> matching_devices(const std::string& selector,
                                          const std::vector<Device>& devices,
                                          const std::vector<std::string>& complaints = {});

// The device that --device means; for an empty selector the first GPU, else the first device.
// Throws Failure: kExitNoDevice where the machine has no device, kExitUsage where no device
// matches, or several.
Device select_device(const std::string& selector);

// Whether an option gives the extents, ranks, slices or adapters of a grid of problems; and whether
// one makes a grid at all, by types or --set too.
bool gives_shapes(const Options& options);
bool gives_grid(const Options& options);
// Whether the options name problems in any way.
bool selects_problems(const Options& options);

// What --dtypes names, `f32_w_bf16` for one. Throws Failure (kExitUsage) for what is no type.
std::vector<Types> read_types(const std::vector<std::string>& names);

// The problems, each once, in the order in which they come first.
std::vector<Problem> distinct(const std::vector<Problem>& problems);

// The problems that the options select, each once: those of the adapter's modules with --adapter;
// without options the default grid. Throws Failure
// for a shape out of range, an unreadable file, or a file without a problem.
std::vector<Problem> select_problems(const Options& options);

// The variants that --variants names, each once; all by default. Throws Failure for an unknown
// name.
std::vector<const Variant*> select_variants(const Options& options);

// "Platform: name", as devices are shown and selected.
std::string display_name(const DeviceInfo& device);

// Says in a line on stderr where the process may use only a part of a CPU device, so that what is
// measured holds for that part.
void tell_limit(const DeviceInfo& device);

}  // namespace loratune
