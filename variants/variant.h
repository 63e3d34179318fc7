// A Variant is one kernel implementation: its OpenCL C text and the functions that turn a problem,
// a config and a device into a LaunchPlan. kernels/<name>.cl and variants/<name>.cpp make one; the
// table of all of them is generated from the files that are there.
#pragma once

#include <span>
#include <string_view>

#include "loratune/variants/device_info.h"
#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"
#include "loratune/variants/search_space.h"

namespace loratune {

struct Variant {
  std::string_view name;
  std::string_view source;         // kernels/<name>.cl, includes expanded
  std::string_view source_sha256;  // of `source`
  int revision;                    // raised when plan() changes what the same config means
  SearchSpace space;
  // Whether the variant can run the problem on the device with at least one config.
  bool (*supports)(const Problem&, const DeviceInfo&);
  // A config that satisfies the constraint wherever supports() holds.
  Config (*default_config)(const Problem&, const DeviceInfo&);
  // The plan of a config that satisfies the constraint. m = 0 gives a plan without launches.
  LaunchPlan (*plan)(const Problem&, const Config&, const DeviceInfo&);
  // Floating-point operations that the plan really does, repeated work included.
  double (*flops)(const Problem&, const Config&);
  // Configs that were the best of several problems on some device: a search tries them early.
  std::span<const Config> proven = {};
};

// Sorted by name; needs no device.
std::span<const Variant* const> variants();
const Variant* find_variant(std::string_view name);

// supports() and the constraint together: what every pick re-checks.
bool can_run(const Variant& variant, const Config& config, const Problem& problem,
             const DeviceInfo& device);

}  // namespace loratune
