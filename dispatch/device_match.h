// How a device of a tuned file compares with the one at hand: whether what was measured on the one
// is known, or at least likely, to hold for the other.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loratune/dispatch/choice.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

std::string_view to_string(DeviceMatch match);

// The instruction set as the driver names it: "sm_90" of NVIDIA, "gfx90a" of AMD's own driver,
// "intel 12.55.8" of Intel's, "cpu-x86_64-pc-linux-gnu-znver3" of PoCL. Empty where it says
// nothing.
std::string architecture_of(const DeviceInfo& device);

// Two devices are of one kind where vendor, vendor id, local memory and sub-group size are the same
// and so is the architecture. Where the architecture of one is unknown, the model must be the same
// in its place. The model is the name's words up to the last one with a digit: "mali-g78", "apple
// m1" of an "Apple M1 Pro". A name without a digit, like "QUALCOMM Adreno(TM)", says no model; the
// words of the device version then belong to it ("OpenCL 2.0 Adreno(TM) 640").
//
// Devices of one kind compare as
//   exact         the rest is the same too
//   other_driver  but for driver, device version and extensions
//   similar       compute units within a factor of two, whatever the process may use of them
// and all others as none.
//
// A member that one of the two lacks, as files of earlier builds do, is unknown and makes no
// difference by itself. But devices whose names say no model are of one kind only where both have
// an architecture, or both a device version: what is unknown shows nobody to be the same chip.
DeviceMatch match_device(const TunedDevice& tuned, const TunedDevice& at_hand);

// The file's devices that match, by their ids: the best first, of which the entries come first. Of
// two that match as well the one comes first whose compute units are nearer.
std::vector<std::pair<std::string, DeviceMatch>> ranked_devices(const TunedFile& file,
                                                                const TunedDevice& at_hand);

// "1.5 of 2 CPUs" where the process may use no more of a CPU device, "16 CPUs beside 1 compute
// unit" where it may use more; else empty.
std::string limit_text(const TunedDevice& device);

// Adds to the description of a device what another one, which matches exactly, knows besides.
void add_known(TunedDevice& device, const TunedDevice& same);

}  // namespace loratune
