#include <array>

#include "kernels/naive.cl.h"
#include "variants/internal/planning.h"

namespace loratune::naive {
namespace {

enum : int { kWgM, kWgN, kUnroll, kATransposed };
constexpr std::array<std::int32_t, 4> kWgMValues = {1, 2, 4, 8};
constexpr std::array<std::int32_t, 7> kWgNValues = {1, 8, 16, 32, 64, 128, 256};
constexpr std::array<std::int32_t, 4> kUnrollValues = {1, 2, 4, 8};
constexpr std::array<std::int32_t, 2> kATransposedValues = {0, 1};
constexpr std::array<Parameter, 4> kParameters = {{{"WG_M", kWgMValues},
                                                   {"WG_N", kWgNValues},
                                                   {"UNROLL", kUnrollValues},
                                                   {"A_TRANSPOSED", kATransposedValues}}};

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  return config[kWgM] * config[kWgN] <= device.max_work_group_size &&
         (problem.adapters == 0 || is_block_of_route(config[kWgM]));
}

bool supports(const Problem&, const DeviceInfo&) { return true; }

Config default_config(const Problem& problem, const DeviceInfo& device) {
  const std::int64_t bound = std::min<std::int64_t>(device.max_work_group_size, 64);
  return {1,
          at_most(kParameters[kWgN],
                  std::min<std::int64_t>(bound, pow2_ceil(std::min<std::int64_t>(problem.n, 64)))),
          1, 0};
}

double flops(const Problem& p, const Config&) {
  return 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * p.rank *
         static_cast<double>(p.k + 1);
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"WG_M", config[kWgM]},
                                {"WG_N", config[kWgN]},
                                {"UNROLL", config[kUnroll]},
                                {"A_TRANSPOSED", config[kATransposed]}});
  if (config[kATransposed] != 0) plan.a.layout = Layout::transposed;
  if (problem.m == 0) return plan;
  plan.launches.push_back(
      make_module_launch("naive", problem, config[kWgM], config[kWgM] * config[kWgN],
                         cut(problem, config[kWgN], config[kWgN]), {{Role::rank}}));
  return plan;
}

Tiles tiles(const Problem&, const Config& config) {
  return {.m = {config[kWgM]}, .k = {config[kUnroll]}, .n = {config[kWgN]}};
}

Fit fit(const Problem&, const DeviceInfo&) { return Fit::last_resort; }

}  // namespace

constinit const Variant variant(
    kKernel, {.revision = 1,
              .space = {kParameters, constraint},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .adapters = true, .dora = true},
              .supports = supports,
              .default_config = default_config,
              .plan = plan,
              .flops = flops,
              .tiles = tiles,
              .fit = fit});

void reference(const Problem& problem, const Config&, const DeviceInfo&, const HostTensors& t) {
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (std::int64_t column = 0; column < problem.n; ++column) {
      float sum = 0.0F;
      for (std::int64_t j = 0; j < problem.rank; ++j) {
        float h = 0.0F;
        for (std::int64_t i = 0; i < problem.k; ++i) {
          h += t.x[row * problem.k + i] * t.a[j * problem.k + i];
        }
        sum += h * t.b[column * problem.rank + j];
      }
      store_output(problem, t, row, column, sum);
    }
  }
}

}  // namespace loratune::naive
