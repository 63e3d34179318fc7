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

// What the options mean. `begun` is the header of the journal that the sweep goes on with, null for
// none: what was known when it began is known still, whatever --out holds by now. Throws Failure
// where the options select nothing that can be swept.
SweepSetup setup_from(const Options& options, const nlohmann::json& begun = nullptr);

// The device as it was when the sweep of this header began, where it is the same one. Another
// device, or a header that has none, is refused by the journal, which compares the headers.
DeviceInfo as_begun(const DeviceInfo& device, const nlohmann::json& begun);

// What a journal begins with, and must agree in to be gone on with.
nlohmann::json make_header(const SweepSetup& setup);

// What two headers agree in where both are of one device: a header without the bytes of the largest
// buffer, which PoCL makes of the memory that is free at the moment.
nlohmann::json lasting(nlohmann::json header);

// The setup that the header of a journal is of. A problem of an earlier build may state an
// alignment that is the element's own. Throws Failure (kExitUsage) where this build has other
// sources of the kernels, or what is no header.
SweepSetup setup_from(const nlohmann::json& header);

}  // namespace loratune
