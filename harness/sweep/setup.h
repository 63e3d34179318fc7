// What a sweep is of: its options and its device, as the command line says or as its journal does.
#pragma once

#include <nlohmann/json.hpp>

#include "harness/base/options.h"
#include "harness/sweep/plan.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

struct SweepSetup {
  SweepOptions options;
  DeviceInfo device;
};

// Throws Failure where the options select nothing that can be swept.
SweepSetup setup_from(const Options& options);

// What a journal begins with, and must agree in to be gone on with.
nlohmann::json make_header(const SweepSetup& setup);

// The setup that the header is of. Throws Failure (kExitUsage) where this build has other sources
// of the kernels.
SweepSetup setup_from(const nlohmann::json& header);

}  // namespace loratune
