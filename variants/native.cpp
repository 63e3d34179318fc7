#include <array>

#include "kernels/native.cl.h"
#include "variants/internal/host_layout.h"
#include "variants/internal/planning.h"

namespace loratune::native {
namespace {

enum : int { kThreads };
constexpr std::array<std::int32_t, 8> kThreadsValues = {1, 2, 4, 8, 16, 32, 64, 128};
constexpr std::array<Parameter, 1> kParameters = {{{"THREADS", kThreadsValues}}};

std::int64_t processors(const DeviceInfo& device) {
  const double usable = device.usable_cpus > 0 ? device.usable_cpus : device.compute_units;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(usable));
}

bool constraint(const Config& config, const Problem&, const DeviceInfo& device) {
  return config[kThreads] <= processors(device);
}

bool supports(const Problem&, const DeviceInfo& device) { return device.native_kernels; }

Config default_config(const Problem&, const DeviceInfo& device) {
  return {at_most(kParameters[kThreads], processors(device))};
}

double flops(const Problem& problem, const Config&) { return useful_flops(problem); }

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"THREADS", config[kThreads]},
                                {"TYPE", static_cast<int>(problem.dtype)},
                                {"WEIGHTS_TYPE", static_cast<int>(weights_dtype(problem))}});
  plan.a = host::packing_a(problem.rank);
  plan.b = host::packing_b(problem.n);
  if (problem.m == 0) return plan;
  // As ForwardNumbers in engine/internal/native.h.
  Launch launch = make_struct_launch("forward_host", {1}, 1,
                                     {{Role::x},
                                      {Role::weights},
                                      {Role::y},
                                      {Role::off_x},
                                      {Role::ld_x},
                                      {Role::off_y},
                                      {Role::ld_y},
                                      {Role::off_a},
                                      {Role::off_b},
                                      {Role::scale},
                                      {Role::m},
                                      {Role::k},
                                      {Role::n},
                                      {Role::rank},
                                      {Role::i32, config[kThreads]},
                                      {Role::i32, static_cast<int>(problem.dtype)},
                                      {Role::i32, static_cast<int>(weights_dtype(problem))},
                                      {Role::i32, problem.accumulate ? 1 : 0}});
  launch.native = true;
  plan.launches.push_back(std::move(launch));
  return plan;
}

// Rows of a tile and of a block; a line of k, and its four segments; lines of columns.
Tiles tiles(const Problem&, const Config&) {
  return {.m = {2, 4, 8, 64}, .k = {4, 16}, .n = {16, 32}};
}

Fit fit(const Problem&, const DeviceInfo&) { return Fit::never; }

}  // namespace

constinit const Variant variant(kKernel, {.revision = 1,
                                          .space = {kParameters, constraint},
                                          .axes = {.bf16 = true, .mixed = true},
                                          .supports = supports,
                                          .default_config = default_config,
                                          .plan = plan,
                                          .flops = flops,
                                          .tiles = tiles,
                                          .fit = fit,
                                          .needs = "a device that runs native kernels, which are "
                                                   "functions of the process"});

// Sums in the kernels' order where ranks fill lines: four segments of k, one after another.
void reference(const Problem& problem, const Config&, const DeviceInfo&, const HostTensors& t) {
  constexpr std::int64_t kSegments = 4;
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (std::int64_t j = 0; j < problem.rank; ++j) {
      float total = 0.0F;
      for (std::int64_t segment = 0; segment < kSegments; ++segment) {
        const std::int64_t begin = segment * (problem.k / kSegments);
        const std::int64_t end =
            segment + 1 == kSegments ? problem.k : begin + problem.k / kSegments;
        float sum = 0.0F;
        for (std::int64_t i = begin; i < end; ++i) {
          sum += t.x[row * problem.k + i] * t.a[j * problem.k + i];
        }
        total += sum;
      }
      h[static_cast<std::size_t>(j)] = total;
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune::native
