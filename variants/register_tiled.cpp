#include <array>

#include "kernels/register_tiled.cl.h"
#include "variants/planning.h"

namespace loratune::register_tiled {
namespace {

constexpr int kLanes = 16;           // of a vector, in the kernel
constexpr int kMaxTileVectors = 16;  // in registers, of the 32 that AVX-512 has
constexpr std::int64_t kMaxHFloats = 1
                                     << 14;  // of h on a thread's stack, unless one tile needs more

enum : int { kKLanes, kRows, kRankTile, kColumnVecs, kBlockRows, kBlockN };
constexpr std::array<std::int32_t, 2> kKLanesValues = {1, kLanes};
constexpr std::array<std::int32_t, 4> kRowsValues = {1, 2, 4, 8};
constexpr std::array<std::int32_t, 6> kRankTileValues = {1, 2, 4, 8, 16, 32};
constexpr std::array<std::int32_t, 2> kColumnVecsValues = {2, 4};
// Not only powers of two: two threads are done sooner with groups that do not divide the rows
// evenly.
constexpr std::array<std::int32_t, 6> kBlockRowsValues = {1, 2, 4, 8, 24, 48};
constexpr std::array<std::int32_t, 3> kBlockNValues = {256, 1024, 65536};
constexpr std::array<Parameter, 6> kParameters = {{{"K_LANES", kKLanesValues},
                                                   {"ROWS", kRowsValues},
                                                   {"RANK_TILE", kRankTileValues},
                                                   {"COLUMN_VECS", kColumnVecsValues},
                                                   {"BLOCK_ROWS", kBlockRowsValues},
                                                   {"BLOCK_N", kBlockNValues}}};

std::int64_t padded_rank(const Config& config, int rank) {
  return ceil_div(rank, config[kRankTile]) * config[kRankTile];
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo&) {
  const std::int64_t block_rows = config[kBlockRows];
  return block_rows % config[kRows] == 0 && config[kRankTile] * config[kKLanes] >= kLanes &&
         config[kRows] * config[kRankTile] * config[kKLanes] <= kMaxTileVectors * kLanes &&
         config[kRankTile] <= std::max(pow2_ceil(problem.rank), kLanes / config[kKLanes]) &&
         (block_rows == config[kRows] ||
          block_rows * padded_rank(config, problem.rank) <= kMaxHFloats);
}

// A group is one thread's loop over vectors, and its h a private array: nothing for a GPU.
bool supports(const Problem&, const DeviceInfo& device) { return device.type == DeviceType::cpu; }

// Vectors along the ranks where rows and ranks fill a tile of them.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  Config config = {kLanes, 4, 4, 4, 24, 65536};
  if (problem.dtype == Dtype::f32 && problem.m >= 8 && problem.rank > 8) {
    config[kKLanes] = 1;
    config[kRows] = 8;
    config[kRankTile] = problem.rank > 16 ? 32 : 16;
  } else {
    config[kRows] = at_most(kParameters[kRows], std::clamp<std::int64_t>(problem.m, 1, 4));
    config[kRankTile] = std::min(kMaxTileVectors / config[kRows], pow2_ceil(problem.rank));
  }
  while (!constraint(config, problem, device)) {
    config[kBlockRows] = at_most(kParameters[kBlockRows], config[kBlockRows] - 1);
  }
  return config;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, cut(problem, config[kColumnVecs] * kLanes, config[kBlockN]));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(variant.source, problem,
                               {{"RANK", problem.rank},
                                {"K_LANES", config[kKLanes]},
                                {"ROWS", config[kRows]},
                                {"RANK_TILE", config[kRankTile]},
                                {"COLUMN_VECS", config[kColumnVecs]},
                                {"BLOCK_ROWS", config[kBlockRows]}});
  const int columns = config[kColumnVecs] * kLanes;
  plan.a = {config[kKLanes] == 1 ? Layout::panel : Layout::blocked, config[kRankTile]};
  plan.b = {Layout::panel, columns};
  if (problem.m == 0) return plan;
  const Blocks blocks = cut(problem, columns, config[kBlockN]);
  plan.launches.push_back(make_launch("register_tiled",
                                      ceil_div(problem.m, config[kBlockRows]) * blocks.count, 1,
                                      {{Role::x},
                                       {Role::off_x},
                                       {Role::ld_x},
                                       {Role::a},
                                       {Role::b},
                                       {Role::y},
                                       {Role::off_y},
                                       {Role::ld_y},
                                       {Role::scale},
                                       {Role::m},
                                       {Role::k},
                                       {Role::n},
                                       {Role::i32, blocks.count},
                                       {Role::i32, blocks.tiles}}));
  return plan;
}

}  // namespace

constinit const Variant variant = {
    "register_tiled", kSource,        kSourceSha256, 1,    {kParameters, constraint},
    supports,         default_config, plan,          flops};

void reference(const Problem& problem, const Config& config, const DeviceInfo&,
               const HostTensors& t) {
  const int lanes = config[kKLanes];
  std::array<float, kLanes> sums{};
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (int j = 0; j < problem.rank; ++j) {
      sums.fill(0.0F);
      for (std::int64_t i = 0; i < problem.k; ++i) {
        sums[static_cast<std::size_t>(i % lanes)] +=
            t.x[row * problem.k + i] * t.a[j * problem.k + i];
      }
      sum_lanes(sums, lanes, 1);
      h[static_cast<std::size_t>(j)] = sums[0];
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune::register_tiled
