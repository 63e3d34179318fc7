// A Variant is one kernel implementation: its OpenCL C text, the functions that turn a problem, a
// config and a device into a LaunchPlan, and what it says of itself: where its tiles end, what it
// is good at, what it needs. kernels/<name>.cl and variants/<name>.cpp make one; the table of all
// of them is generated from the files that are there, and nothing else knows their names.
//
// Threads: a Variant never changes, and any number of threads may call its functions at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "loratune/variants/device_info.h"
#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"
#include "loratune/variants/search_space.h"

namespace loratune {

// A kernel as the build embeds it: kernels/<name>.cl.h has one, `kKernel`.
struct Kernel {
  std::string_view name;           // the stem of its file
  std::string_view source;         // kernels/<name>.cl, includes expanded
  std::string_view source_sha256;  // of `source`
};

// The extents of m, k and n at which loops, vectors and blocks of a kernel end: an extent of one
// more begins another. The correctness matrix tries each, one less and one more. Values below 2 say
// nothing, and the order is free.
struct Tiles {
  std::vector<std::int64_t> m, k, n;
};

// What a variant is to a problem on a device: the one of the highest Fit is the default.
enum class Fit : std::uint8_t {
  never,         // no default: only who asks for the variant, like a sweep, runs it
  last_resort,   // runs every problem on every device, with one work-item if need be
  any_device,    // good wherever nothing more special is
  this_device,   // made for devices of this kind
  this_problem,  // measured to be ahead of those above for such problems on such devices
  small_problem  // the same where so little is to be done that only starting it counts
};

// What a problem may have beyond a shape, and a variant's kernels know or do not. A variant
// declines what it does not state, so a new axis changes no variant until its author says so.
struct Axes {
  bool bf16 = false;      // x and y, or the weights, of bf16
  bool mixed = false;     // weights of another type than x and y
  bool slices = false;    // modules side by side
  bool adapters = false;  // rows of several adapters
  bool dora = false;      // y scaled by a vector
};
// The names of the axes that are stated: "bf16", "mixed", "slices", "adapters", "dora".
std::vector<std::string_view> names_of(const Axes& axes);
// Whether all of them that the problem has are stated.
constexpr bool covers(const Axes& axes, const Problem& problem) {
  const Dtype weights = weights_dtype(problem);
  const bool has_bf16 = problem.dtype == Dtype::bf16 || weights == Dtype::bf16;
  return (axes.bf16 || !has_bf16) && (axes.mixed || weights == problem.dtype) &&
         (axes.slices || problem.slices.count == 0) && (axes.adapters || problem.adapters == 0) &&
         (axes.dora || !problem.dora);
}

// What an author states of a variant.
struct VariantParts {
  int revision = 0;  // from 1 on; raised when plan() changes what the same config means
  SearchSpace space = {};
  Axes axes = {};
  // Whether the variant can run the problem on the device with at least one config. Asked only of
  // problems that the axes cover.
  bool (*supports)(const Problem&, const DeviceInfo&) = nullptr;
  // A config that satisfies the constraint wherever supports() holds.
  Config (*default_config)(const Problem&, const DeviceInfo&) = nullptr;
  // The plan of a config that satisfies the constraint. m = 0 gives a plan without launches.
  LaunchPlan (*plan)(const Problem&, const Config&, const DeviceInfo&) = nullptr;
  // Floating-point operations that the plan really does, repeated work included.
  double (*flops)(const Problem&, const Config&) = nullptr;
  // Where the loops and blocks of the config's kernel end.
  Tiles (*tiles)(const Problem&, const Config&) = nullptr;
  // What the variant is to the problem on the device; asked only where supports() holds.
  Fit (*fit)(const Problem&, const DeviceInfo&) = nullptr;
  // What a device must be for the variant to support anything, as the object of "needs": "the
  // tensor cores of ...". Empty: it runs on every device.
  std::string_view needs = {};
  // Configs that were the best of several problems on some device: a search tries them early.
  std::span<const Config> proven = {};
};

// Made from an embedded kernel, whose name it takes, and from parts of which none is missing:
// anything else does not compile, and the compiler shows the line that says what to state.
struct Variant : Kernel, VariantParts {
  consteval Variant(const Kernel& kernel, const VariantParts& parts)
      : Kernel(kernel), VariantParts(parts) {
    // clang-format off: the line that the compiler shows has to hold all of the sentence.
    if (parts.revision < 1) throw "a variant states its .revision, from 1 on";
    if (parts.space.constraint == nullptr)
      throw "a variant states its .space: {parameters, constraint}";
    if (parts.supports == nullptr)
      throw "a variant states .supports: which problems it can run on which devices";
    if (parts.default_config == nullptr) throw "a variant states its .default_config";
    if (parts.plan == nullptr) throw "a variant states its .plan";
    if (parts.flops == nullptr) throw "a variant states its .flops: what a config really computes";
    if (parts.tiles == nullptr)
      throw "a variant states its .tiles: the extents of m, k and n at which its loops and blocks end";
    if (parts.fit == nullptr)
      throw "a variant states its .fit: what it is, as a default, to a problem on a device";
    // clang-format on
  }

  // Whether the axes cover the problem and the author's supports() takes it.
  bool supports(const Problem& problem, const DeviceInfo& device) const {
    return covers(axes, problem) && VariantParts::supports(problem, device);
  }
};

// Sorted by name; needs no device.
std::span<const Variant* const> variants();
// Nullptr for a name that no variant has. For names that users write: in code, ask variants().
const Variant* find_variant(std::string_view name);

// The variant of the highest Fit for the problem on the device, the first of equal ones: what is
// the default. Nullptr where none supports it.
const Variant* best_fit(const Problem& problem, const DeviceInfo& device);

// supports() and the constraint together: what every pick re-checks.
bool can_run(const Variant& variant, const Config& config, const Problem& problem,
             const DeviceInfo& device);

}  // namespace loratune
