#include <array>

#include "kernels/register_tiled.cl.h"
#include "variants/planning.h"

namespace loratune::register_tiled {
namespace {

constexpr int kLanes = 16;           // of a vector, in the kernel
constexpr int kMaxTileVectors = 24;  // in registers, of the 32 that AVX-512 has
constexpr int kMaxDotVectors = 16;   // of them with K_LANES 16: they end in one vector of sums
// Of h on a thread's stack, unless one tile needs more.
constexpr std::int64_t kMaxHFloats = 1 << 15;
// Measured: what one thread does while another wakes up, and while a block begins.
constexpr double kFlopsOfAWakeUp = 6e5;
constexpr double kFlopsOfABlock = 2e4;

enum : int { kKLanes, kRows, kRankVecs, kColumnVecs, kRowTiles, kBlockN };
constexpr std::array<std::int32_t, 2> kKLanesValues = {1, kLanes};
constexpr std::array<std::int32_t, 6> kRowsValues = {1, 2, 4, 6, 8, 12};
constexpr std::array<std::int32_t, 5> kRankVecsValues = {1, 2, 4, 8, 16};
constexpr std::array<std::int32_t, 2> kColumnVecsValues = {2, 4};
// 11 and its multiples: of six rows each, just over a power of two.
constexpr std::array<std::int32_t, 7> kRowTilesValues = {1, 2, 3, 6, 11, 22, 43};
constexpr std::array<std::int32_t, 3> kBlockNValues = {256, 1024, 65536};
constexpr std::array<Parameter, 6> kParameters = {{{"K_LANES", kKLanesValues},
                                                   {"ROWS", kRowsValues},
                                                   {"RANK_VECS", kRankVecsValues},
                                                   {"COLUMN_VECS", kColumnVecsValues},
                                                   {"ROW_TILES", kRowTilesValues},
                                                   {"BLOCK_N", kBlockNValues}}};

std::int32_t rank_tile(const Config& config) {
  return config[kRankVecs] * kLanes / config[kKLanes];
}

std::int32_t block_rows(const Config& config) { return config[kRows] * config[kRowTiles]; }

bool constraint(const Config& config, const Problem& problem, const DeviceInfo&) {
  const std::int64_t tile = rank_tile(config);
  const int most = config[kKLanes] == 1 ? kMaxTileVectors : kMaxDotVectors;
  return config[kRows] * config[kRankVecs] <= most &&
         (config[kRankVecs] == 1 || tile <= pow2_ceil(problem.rank)) &&
         (config[kRowTiles] == 1 ||
          block_rows(config) * ceil_div(problem.rank, tile) * tile <= kMaxHFloats);
}

// A group is one thread's loop over vectors, and its h a private array: nothing for a GPU, nor for
// Mesa's compiler, which takes minutes over it.
bool supports(const Problem&, const DeviceInfo& device) {
  return device.type == DeviceType::cpu && device.platform != "rusticl";
}

// How long the busiest thread takes, in flops. Runtimes hand the first thread its share of the
// blocks at once; what it leaves is for those that wake up later. Reading A and B for a block costs
// `reading` times the work of a tile.
double busiest_flops(const Problem& problem, const Config& config, const DeviceInfo& device,
                     double reading) {
  const auto m = static_cast<double>(std::max<std::int64_t>(problem.m, 1));
  const double row_flops = useful_flops(problem) / m;
  const std::int64_t blocks = ceil_div(problem.m, block_rows(config));
  const std::int64_t share = ceil_div(blocks, device.compute_units);
  double rows = m;
  if (blocks > 1) {
    const double even = (m + kFlopsOfAWakeUp / row_flops) / device.compute_units;
    rows = std::max(static_cast<double>(share * block_rows(config)), even);
  }
  return rows * row_flops * (1 + reading / config[kRowTiles]) +
         static_cast<double>(share) * kFlopsOfABlock;
}

// Vectors along the ranks where rows and ranks fill a tile of them; blocks of as many rows as leave
// the busiest thread the least. At high ranks they may be large, since A and B, too large for a
// cache, pass by once a block.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  Config config = {kLanes, 4, 4, 4, 1, 65536};
  std::int32_t most_tiles = 6;
  double reading = 0.03;
  // f32 rows of 4096 bytes, give or take a few, are in the same sets of a cache, which cannot hold
  // twelve, nor eight.
  const bool rows_meet =
      problem.dtype == Dtype::f32 && problem.k >= 1020 && (problem.k + 4) % 1024 <= 8;
  if (problem.m >= 48 && problem.rank > 32) {
    most_tiles = 22;
    reading = 0.2;
    config = {1, 6, 4, 4, 1, 65536};
  } else if (problem.m >= 48 && problem.rank > 12) {
    reading = 0.08;
    config = {1, rows_meet ? 6 : 12, problem.rank > 16 ? 2 : 1, 4, 1, 65536};
  } else if (problem.m >= 8 && problem.rank > 12) {
    most_tiles = 3;
    reading = 0.08;
    config = {1, 8, problem.rank > 16 ? 2 : 1, 4, 1, 65536};
  } else {
    config[kRows] = at_most(kParameters[kRows], std::clamp<std::int64_t>(problem.m, 1, 4));
    config[kRankVecs] = std::min(kMaxDotVectors / config[kRows], pow2_ceil(problem.rank));
  }
  Config best = config;
  for (const std::int32_t tiles : kRowTilesValues) {
    config[kRowTiles] = tiles;
    if (tiles <= most_tiles && constraint(config, problem, device) &&
        busiest_flops(problem, config, device, reading) <=
            busiest_flops(problem, best, device, reading)) {
      best = config;
    }
  }
  return best;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, cut(problem, config[kColumnVecs] * kLanes, config[kBlockN]));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(variant.source, problem,
                               {{"RANK", problem.rank},
                                {"K_LANES", config[kKLanes]},
                                {"ROWS", config[kRows]},
                                {"RANK_TILE", rank_tile(config)},
                                {"COLUMN_VECS", config[kColumnVecs]},
                                {"BLOCK_ROWS", block_rows(config)}});
  const int columns = config[kColumnVecs] * kLanes;
  plan.a = {config[kKLanes] == 1 ? Layout::panel : Layout::blocked, rank_tile(config), true};
  plan.b = {Layout::panel, columns, true};
  if (problem.m == 0) return plan;
  const Blocks blocks = cut(problem, columns, config[kBlockN]);
  plan.launches.push_back(
      make_fused_launch("register_tiled", ceil_div(problem.m, block_rows(config)) * blocks.count, 1,
                        {{Role::i32, blocks.count}, {Role::i32, blocks.tiles}}));
  return plan;
}

}  // namespace

constinit const Variant variant = {
    "register_tiled", kSource,        kSourceSha256, 3,    {kParameters, constraint},
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
