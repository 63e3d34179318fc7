#include <array>

#include "kernels/tiled.cl.h"
#include "variants/internal/planning.h"

namespace loratune::tiled {
namespace {

enum : int { kWgSize, kTileM, kTileK, kKLanes, kATile, kBTile, kBlockN };
constexpr std::array<std::int32_t, 6> kWgSizeValues = {1, 16, 32, 64, 128, 256};
constexpr std::array<std::int32_t, 5> kTileMValues = {1, 2, 4, 8, 16};
constexpr std::array<std::int32_t, 4> kTileKValues = {32, 64, 128, 256};
constexpr std::array<std::int32_t, 6> kKLanesValues = {1, 4, 8, 16, 32, 64};
constexpr std::array<std::int32_t, 4> kVectorValues = {1, 4, 8, 16};
constexpr std::array<std::int32_t, 4> kBlockNValues = {64, 256, 1024, 4096};
constexpr std::array<Parameter, 7> kParameters = {{{"WG_SIZE", kWgSizeValues},
                                                   {"TILE_M", kTileMValues},
                                                   {"TILE_K", kTileKValues},
                                                   {"K_LANES", kKLanesValues},
                                                   {"A_TILE", kVectorValues},
                                                   {"B_TILE", kVectorValues},
                                                   {"BLOCK_N", kBlockNValues}}};

// Floats of the buffer that holds x and later the partial sums; and of h.
std::int64_t stage_floats(const Config& config) {
  return std::max(config[kTileM] * config[kTileK],
                  config[kWgSize] * config[kTileM] * config[kATile]);
}

std::int64_t h_floats(const Config& config, const Problem& problem) {
  return config[kTileM] * ceil_div(problem.rank, config[kATile]) * config[kATile];
}

// PoCL 5.0 computes wrong sums over lanes where the rank is read from the route: whether its
// compiler keeps the block's values for all work-items then depends on what is in memory. PoCL 3.1
// and 6.0 compute them right; but lanes gain nothing on a CPU.
bool lanes_are_summed_right(const Problem& problem, const DeviceInfo& device) {
  return problem.adapters == 0 || !is_pocl(device);
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  return (config[kKLanes] == 1 || lanes_are_summed_right(problem, device)) &&
         config[kWgSize] <= device.max_work_group_size && config[kKLanes] <= config[kWgSize] &&
         config[kATile] <= std::max(pow2_ceil(problem.rank), 4) &&
         (stage_floats(config) + h_floats(config, problem)) * 4 <= usable_local_bytes(device);
}

constexpr Config kSmallest = {1, 1, 32, 1, 1, 1, 4096};

// Mesa 22.3's rusticl ends the process over this kernel, on every problem that was tried, where
// PoCL is right and oclgrind reports nothing.
bool supports(const Problem& problem, const DeviceInfo& device) {
  return device.platform != "rusticl" && constraint(kSmallest, problem, device);
}

Config default_config(const Problem& problem, const DeviceInfo& device) {
  const bool cpu = device.type == DeviceType::cpu;
  const std::int32_t size = at_most(
      kParameters[kWgSize], std::min<std::int64_t>(device.max_work_group_size, cpu ? 16 : 128));
  const int a_tile = std::min(cpu ? 16 : 4, std::max(pow2_ceil(problem.rank), 4));
  const std::int64_t rows = rows_of_an_adapter(problem);
  Config config = {size,
                   at_most(kParameters[kTileM], std::clamp<std::int64_t>(rows, 1, cpu ? 8 : 4)),
                   128,
                   at_most(kParameters[kKLanes], cpu ? 1 : size / 2),
                   a_tile,
                   cpu ? 16 : 4,
                   cpu || problem.m > 256 ? 4096 : 256};
  while (!constraint(config, problem, device) && config[kTileM] > 1) config[kTileM] /= 2;
  if (!constraint(config, problem, device)) config[kTileK] = 32;
  return constraint(config, problem, device) ? config : kSmallest;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, cut(problem, config[kBTile], config[kBlockN]));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"WG_SIZE", config[kWgSize]},
                                {"TILE_M", config[kTileM]},
                                {"TILE_K", config[kTileK]},
                                {"K_LANES", config[kKLanes]},
                                {"A_TILE", config[kATile]},
                                {"B_TILE", config[kBTile]}});
  plan.a = {Layout::panel, config[kATile]};
  plan.b = {Layout::panel, config[kBTile]};
  if (problem.m == 0) return plan;
  plan.launches.push_back(make_module_launch("tiled", problem, config[kTileM], config[kWgSize],
                                             cut(problem, config[kBTile], config[kBlockN]),
                                             {{Role::rank},
                                              {Role::local, stage_floats(config) * 4},
                                              {Role::local, h_floats(config, problem) * 4}}));
  return plan;
}

Tiles tiles(const Problem&, const Config& config) {
  return {.m = {config[kTileM]},
          .k = {config[kKLanes], config[kTileK]},
          .n = {config[kBTile], config[kBTile] * config[kWgSize],
                block_width(config[kBTile], config[kBlockN])}};
}

// A default of rows of several adapters only.
Fit fit(const Problem& problem, const DeviceInfo&) {
  return problem.adapters > 0 ? Fit::any_device : Fit::never;
}

}  // namespace

constinit const Variant variant(
    kKernel, {.revision = 2,
              .space = {kParameters, constraint},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .adapters = true, .dora = true},
              .supports = supports,
              .default_config = default_config,
              .plan = plan,
              .flops = flops,
              .tiles = tiles,
              .fit = fit,
              .needs = "a driver that survives the kernel (not rusticl)"});

void reference(const Problem& problem, const Config& config, const DeviceInfo&,
               const HostTensors& t) {
  const int lanes = config[kKLanes];
  const int tile_k = config[kTileK];
  std::vector<float> sums(static_cast<std::size_t>(lanes));
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (int j = 0; j < problem.rank; ++j) {
      std::fill(sums.begin(), sums.end(), 0.0F);
      for (std::int64_t i = 0; i < problem.k; ++i) {
        sums[static_cast<std::size_t>(i % tile_k % lanes)] +=
            t.x[row * problem.k + i] * t.a[j * problem.k + i];
      }
      sum_lanes(sums, lanes, 1);
      h[static_cast<std::size_t>(j)] = sums[0];
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune::tiled
