// From verdicts to the tuned file.
#pragma once

#include <span>

#include "dispatch/tuned_file.h"
#include "harness/sweep.h"

namespace loratune {

// One record a verdict, and the rules that the verdicts' races support. A problem whose default
// failed gets no record.
TunedFile make_tuned_file(std::span<const Decided> decided, Mode mode, const DeviceInfo& device,
                          const ToolInfo& tool);

// `fresh` with what `earlier` knows of other devices, modes and problems added. Records of kernels
// that have changed since, and rules for the device and mode of `fresh`, are left behind: `dropped`
// counts those records.
TunedFile merge_earlier(TunedFile fresh, const TunedFile& earlier, int& dropped);

}  // namespace loratune
