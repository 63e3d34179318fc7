#include <array>

#include "kernels/split.cl.h"
#include "variants/internal/planning.h"

namespace loratune::split {
namespace {

enum : int { kSlices, kATile, kShrinkRows, kKLanes, kBTile, kExpandRows, kExpandWg };
constexpr std::array<std::int32_t, 6> kSlicesValues = {1, 2, 4, 8, 16, 32};
constexpr std::array<std::int32_t, 4> kTileValues = {1, 4, 8, 16};
constexpr std::array<std::int32_t, 4> kRowsValues = {1, 2, 4, 8};
constexpr std::array<std::int32_t, 5> kLanesValues = {1, 16, 32, 64, 256};
constexpr std::array<Parameter, 7> kParameters = {{{"SLICES", kSlicesValues},
                                                   {"A_TILE", kTileValues},
                                                   {"SHRINK_ROWS", kRowsValues},
                                                   {"K_LANES", kLanesValues},
                                                   {"B_TILE", kTileValues},
                                                   {"EXPAND_ROWS", kRowsValues},
                                                   {"EXPAND_WG", kLanesValues}}};

// SLICES is a wish: slices are of equal length, and none is empty.
struct Slices {
  std::int64_t length, count;
};

Slices cut(std::int64_t k, int wish) {
  const std::int64_t length = ceil_div(k, wish);
  return {length, ceil_div(k, length)};
}

std::int64_t scratch_bytes(const Problem& problem, int slices, int a_tile) {
  return cut(problem.k, slices).count * problem.m * slice_count(problem) *
         ceil_div(problem.rank, a_tile) * a_tile * 4;
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  const int rank_pow2 = pow2_ceil(problem.rank);
  return config[kATile] <= std::max(rank_pow2, 4) &&
         config[kBTile] <=
             std::max<std::int64_t>(pow2_ceil(std::min<std::int64_t>(problem.n, 16)), 4) &&
         std::max(config[kKLanes], config[kExpandWg]) <= device.max_work_group_size &&
         (config[kKLanes] == 1 || config[kKLanes] * config[kShrinkRows] * config[kATile] * 4 <=
                                      usable_local_bytes(device)) &&
         config[kExpandRows] * problem.rank * 4 <= usable_local_bytes(device) &&
         scratch_bytes(problem, config[kSlices], config[kATile]) <= device.max_alloc_bytes;
}

bool supports(const Problem& problem, const DeviceInfo& device) {
  return problem.rank * 4 <= usable_local_bytes(device) &&
         scratch_bytes(problem, 1, 4) <= device.max_alloc_bytes;
}

// On a CPU one work-item is a thread's loop over vectors; elsewhere lanes share k, and k is cut
// into slices while there are fewer groups than would fill the compute units four times over.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  const bool cpu = device.type == DeviceType::cpu;
  const int rank_pow2 = std::max(pow2_ceil(problem.rank), 4);
  const int rows = problem.m >= 4 ? 4 : 1;
  Config config = {
      1,
      std::min(cpu ? 16 : 4, rank_pow2),
      rows,
      cpu ? 1
          : at_most(kParameters[kKLanes], std::min<std::int64_t>(device.max_work_group_size, 64)),
      cpu && problem.n >= 16 ? 16 : 4,
      rows,
      at_most(kParameters[kExpandWg],
              std::min<std::int64_t>(device.max_work_group_size, cpu ? 16 : 64))};
  const auto fits = [&] { return constraint(config, problem, device); };
  while (!fits() && config[kKLanes] > 1) {
    config[kKLanes] = at_most(kParameters[kKLanes], config[kKLanes] - 1);
  }
  while (!fits() && config[kExpandRows] > 1) config[kExpandRows] /= 2;
  if (!fits()) config[kATile] = 4;
  if (cpu) return config;
  const std::int64_t groups =
      ceil_div(problem.m, rows) * slice_count(problem) * ceil_div(problem.rank, config[kATile]);
  const std::int64_t wish =
      std::min(ceil_div(std::int64_t{4} * device.compute_units, std::max<std::int64_t>(groups, 1)),
               ceil_div(problem.k, 4 * config[kKLanes]));
  const std::int32_t single = config[kSlices];
  config[kSlices] = at_most(kParameters[kSlices], wish);
  if (!fits()) config[kSlices] = single;
  return config;
}

double flops(const Problem& problem, const Config&) { return useful_flops(problem); }

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"A_TILE", config[kATile]},
                                {"SHRINK_ROWS", config[kShrinkRows]},
                                {"K_LANES", config[kKLanes]},
                                {"B_TILE", config[kBTile]},
                                {"EXPAND_ROWS", config[kExpandRows]},
                                {"EXPAND_WG", config[kExpandWg]}});
  plan.a = {Layout::panel, config[kATile]};
  plan.b = {Layout::panel, config[kBTile]};
  if (problem.m == 0) return plan;
  const std::int64_t panels = ceil_div(problem.rank, config[kATile]);
  const Slices slices = cut(problem.k, config[kSlices]);
  plan.scratch.push_back(
      {static_cast<std::uint64_t>(scratch_bytes(problem, config[kSlices], config[kATile])),
       Zero::never});
  const std::int64_t all_panels = slice_count(problem) * panels;
  plan.launches.push_back(make_struct_launch(
      "shrink", {problem.m, config[kShrinkRows], all_panels * slices.count}, config[kKLanes],
      {{Role::x},
       {Role::a},
       {Role::scratch, 0},
       {Role::off_x},
       {Role::ld_x},
       {Role::off_a},
       {Role::m},
       {Role::k},
       {Role::i32, all_panels},
       {Role::i32, slices.count},
       {Role::i32, slices.length}}));
  const ModuleBlocks blocks =
      loratune::cut(problem, config[kBTile], config[kBTile] * config[kExpandWg]);
  std::vector<Arg> args = {{Role::scratch, 0}, {Role::b}};
  add_outputs(args, problem);
  add_modules(args, problem, blocks);
  args.insert(args.end(), {{Role::m},
                           {Role::rank},
                           {Role::i32, panels * config[kATile]},
                           {Role::i32, slices.count},
                           {Role::i32, blocks.count},
                           {Role::local, config[kExpandRows] * problem.rank * 4}});
  plan.launches.push_back(make_struct_launch("expand",
                                             {problem.m, config[kExpandRows], blocks.count},
                                             config[kExpandWg], std::move(args)));
  return plan;
}

// A slice ends at a step of the lanes where k is a multiple of both.
Tiles tiles(const Problem&, const Config& config) {
  return {.m = {config[kShrinkRows], config[kExpandRows]},
          .k = {config[kKLanes], config[kKLanes] * config[kSlices]},
          .n = {config[kBTile], config[kBTile] * config[kExpandWg]}};
}

Fit fit(const Problem&, const DeviceInfo&) { return Fit::any_device; }

}  // namespace

constinit const Variant variant(
    kKernel, {.revision = 2,
              .space = {kParameters, constraint},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .dora = true},
              .supports = supports,
              .default_config = default_config,
              .plan = plan,
              .flops = flops,
              .tiles = tiles,
              .fit = fit});

void reference(const Problem& problem, const Config& config, const DeviceInfo&,
               const HostTensors& t) {
  const Slices slices = cut(problem.k, config[kSlices]);
  const int lanes = config[kKLanes];
  std::vector<float> sums(static_cast<std::size_t>(lanes));
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (int j = 0; j < problem.rank; ++j) {
      float total = 0.0F;
      for (std::int64_t slice = 0; slice < slices.count; ++slice) {
        const std::int64_t begin = slice * slices.length;
        const std::int64_t end = std::min(begin + slices.length, problem.k);
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (std::int64_t i = begin; i < end; ++i) {
          sums[static_cast<std::size_t>((i - begin) % lanes)] +=
              t.x[row * problem.k + i] * t.a[j * problem.k + i];
        }
        sum_lanes(sums, lanes, 1);
        total += sums[0];
      }
      h[static_cast<std::size_t>(j)] = total;
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune::split
