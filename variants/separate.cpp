#include <algorithm>
#include <array>
#include <optional>

#include "kernels/separate.cl.h"
#include "variants/internal/planning.h"

namespace loratune::separate {
namespace {

// The parts are what is the default for so many rows, whatever m is: a config is then the same
// order of summation for every m.
enum : int { kRows };
constexpr std::array<std::int32_t, 13> kRowsValues = {1,   2,   4,   8,    16,   32,  64,
                                                      128, 256, 512, 1024, 2048, 4096};
constexpr std::array<Parameter, 1> kParameters = {{{"ROWS", kRowsValues}}};

struct Part {
  const Variant* variant;  // null where none can run the slice
  Config config;
};

Part part(const Problem& problem, std::int32_t rows, int i, const DeviceInfo& device) {
  const Problem alone = slice_problem(problem, i);
  Problem planned = alone;
  planned.m = rows;
  const Variant* best = best_fit(planned, device);
  if (best == nullptr) return {};
  const Config config = best->default_config(planned, device);
  return can_run(*best, config, alone, device) ? Part{best, config} : Part{};
}

// The first slice of as many columns, which has the same part.
int first_alike(const Problem& problem, int slice) {
  int first = 0;
  while (slice_columns(problem, first) != slice_columns(problem, slice)) ++first;
  return first;
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  for (int i = 0; i < slice_count(problem); ++i) {
    if (first_alike(problem, i) != i) continue;
    if (part(problem, config[kRows], i, device).variant == nullptr) return false;
  }
  return true;
}

// Nothing where no config runs. A tuned file may ask this 65,536 times, and parts are not cheap: no
// config is tried twice.
std::optional<Config> running_config(const Problem& problem, const DeviceInfo& device) {
  const std::int32_t nearest = at_most(kParameters[kRows], problem.m);
  if (constraint({nearest}, problem, device)) return Config{nearest};
  for (const std::int32_t rows : kRowsValues) {
    if (rows != nearest && constraint({rows}, problem, device)) return Config{rows};
  }
  return std::nullopt;
}

Config default_config(const Problem& problem, const DeviceInfo& device) {
  return running_config(problem, device).value_or(Config{at_most(kParameters[kRows], problem.m)});
}

bool supports(const Problem& problem, const DeviceInfo& device) {
  return slice_count(problem) > 1 && running_config(problem, device).has_value();
}

double flops(const Problem& problem, const Config&) { return useful_flops(problem); }

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo& device) {
  LaunchPlan plan;
  plan.made_for.problem = problem;
  for (int i = 0; i < slice_count(problem); ++i) {
    if (const int alike = first_alike(problem, i); alike != i) {
      plan.parts.push_back(plan.parts[static_cast<std::size_t>(alike)]);
      continue;
    }
    const Part one = part(problem, config[kRows], i, device);
    plan.parts.push_back(one.variant->plan(slice_problem(problem, i), one.config, device));
    const LaunchPlan& added = plan.parts.back();
    plan.align = std::max(plan.align, added.align);
    plan.deterministic = plan.deterministic && added.deterministic;
    plan.needs_residency = plan.needs_residency || added.needs_residency;
  }
  return plan;
}

// The loops are those of the parts, whose variants state them.
Tiles tiles(const Problem&, const Config&) { return {}; }

// A module alone may have a kernel made for the device that takes no groups: its launches are then
// ahead of one launch of a general kernel. Where the same kernel takes the group, one launch is.
Fit fit(const Problem& problem, const DeviceInfo& device) {
  Fit least = Fit::small_problem;
  for (int i = 0; i < slice_count(problem); ++i) {
    const Problem alone = slice_problem(problem, i);
    const Variant* best = best_fit(alone, device);
    if (best == nullptr || best->supports(problem, device)) return Fit::never;
    least = std::min(least, best->fit(alone, device));
  }
  return least;
}

}  // namespace

constinit const Variant variant(
    kKernel, {.revision = 1,
              .space = {kParameters, constraint},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .dora = true},
              .supports = supports,
              .default_config = default_config,
              .plan = plan,
              .flops = flops,
              .tiles = tiles,
              .fit = fit,
              .needs = "a group of modules that share x"});

// Sums in order: the orders of the parts are in the references of their variants.
void reference(const Problem& problem, const Config&, const DeviceInfo&, const HostTensors& t) {
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (std::int64_t j = 0; j < problem.rank; ++j) {
      float& sum = h[static_cast<std::size_t>(j)];
      sum = 0.0F;
      for (std::int64_t i = 0; i < problem.k; ++i) {
        sum += t.x[row * problem.k + i] * t.a[j * problem.k + i];
      }
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune::separate
