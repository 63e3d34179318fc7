#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

#include "kernels/register_tiled.cl.h"
#include "variants/internal/planning.h"
#include "variants/internal/row_sharing.h"

namespace loratune::register_tiled {
namespace {

constexpr int kLanes = 16;           // of a vector, in the kernel
constexpr int kMaxTileVectors = 24;  // in registers, of the 32 that AVX-512 has
constexpr int kMaxDotVectors = 16;   // of them with K_LANES 16: they end in one vector of sums
constexpr int kStretch = 128;        // of k, that the kernel widens at a time
constexpr std::int64_t kBBlockFloats =
    131072;  // of B, that the kernel passes by all rows at a time
// Of h on a thread's stack, unless one tile needs more.
constexpr std::int64_t kMaxHFloats = 1 << 15;
constexpr std::int64_t kRowsOfOneTile = 4;

enum : int { kKLanes, kRows, kRankVecs, kColumnVecs, kRowTiles, kBlockN };
constexpr std::array<std::int32_t, 2> kKLanesValues = {1, kLanes};
constexpr std::array<std::int32_t, 6> kRowsValues = {1, 2, 4, 6, 8, 12};
constexpr std::array<std::int32_t, 5> kRankVecsValues = {1, 2, 4, 8, 16};
constexpr std::array<std::int32_t, 2> kColumnVecsValues = {2, 4};
// 11 and its multiples: of six rows each, just over a power of two.
constexpr std::array<std::int32_t, 7> kRowTilesValues = {1, 2, 3, 6, 11, 22, 43};
constexpr std::array<std::int32_t, 5> kBlockNValues = {256, 1024, 2048, 4096, 65536};
constexpr std::array<Parameter, 6> kParameters = {{{"K_LANES", kKLanesValues},
                                                   {"ROWS", kRowsValues},
                                                   {"RANK_VECS", kRankVecsValues},
                                                   {"COLUMN_VECS", kColumnVecsValues},
                                                   {"ROW_TILES", kRowTilesValues},
                                                   {"BLOCK_N", kBlockNValues}}};

// On two cores of an EPYC: small blocks, which two threads share out evenly.
constexpr std::array<Config, 5> kProven = {{{16, 4, 4, 4, 1, 4096},
                                            {1, 4, 1, 2, 1, 4096},
                                            {1, 4, 2, 4, 1, 4096},
                                            {1, 8, 1, 4, 1, 2048},
                                            {1, 8, 2, 4, 1, 2048}}};

std::int32_t rank_tile(const Config& config) {
  return config[kRankVecs] * kLanes / config[kKLanes];
}

std::int32_t block_rows(const Config& config) { return config[kRows] * config[kRowTiles]; }

// Rows of a register tile of y, as the kernel has them.
std::int32_t y_rows(const Config& config) {
  const std::int32_t vecs = config[kColumnVecs];
  if (config[kRows] * vecs <= kMaxTileVectors) return config[kRows];
  return config[kRows] % (kMaxTileVectors / vecs) == 0 ? kMaxTileVectors / vecs : 16 / vecs;
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo&) {
  const std::int64_t tile = rank_tile(config);
  const int most = config[kKLanes] == 1 ? kMaxTileVectors : kMaxDotVectors;
  return config[kRows] * config[kRankVecs] <= most &&
         (config[kRankVecs] == 1 || tile <= pow2_ceil(problem.rank)) &&
         (problem.adapters == 0 || is_block_of_route(block_rows(config))) &&
         (config[kRowTiles] == 1 ||
          block_rows(config) * ceil_div(problem.rank, tile) * tile <= kMaxHFloats);
}

// A group is one thread's loop over vectors, and its h a private array: nothing for a GPU, nor for
// Mesa's compiler, which takes minutes over it.
bool supports(const Problem&, const DeviceInfo& device) {
  return device.type == DeviceType::cpu && device.platform != "rusticl";
}

// From the times of the 436 problems to which row_sharing.cpp is fitted, and of 324 problems of 8
// to 200 rows, ranks 4 to 12, with four configs each, on two cores of Zen 4.
constexpr SharingCosts kSharing = {4e5, 4e4, 1};
constexpr SharingCosts kSharingOfAnAmd = {3e5, 1e4, 1.2};

// What suits a problem, before rows are shared out.
struct Tilings {
  // Configs with register tiles that suit, one row tile a block; the second may be empty.
  std::array<Config, 2> tiles;
  std::int32_t most_tiles;  // register tiles along the rows of a block
  double reading;           // as RowCut has it
};

// Whether the kernel widens what it loads of x.
bool is_narrow(const Problem& problem) { return element_bytes(problem.dtype) == 2; }

bool is_amd(const DeviceInfo& device) { return device.vendor == "AuthenticAMD"; }

// LLVM's names of the x86 processors with vectors of 512 bits, or what such a name holds.
constexpr std::array<std::string_view, 13> kWideProcessors = {
    "avx512", "cascadelake", "cooperlake", "cannonlake", "icelake", "tigerlake", "rocketlake",
    "rapids", "znver4",      "znver5",     "x86-64-v4",  "knl",     "knm"};

// Whether a vector of the kernel takes two registers or more, so that few sums fit the registers.
// PoCL's name of a device has LLVM's name of the processor; other drivers do not tell, and may have
// wide vectors.
bool has_small_registers(const DeviceInfo& device) {
  return is_pocl(device) && std::ranges::none_of(kWideProcessors, [&](std::string_view wide) {
           return device.name.find(wide) != std::string::npos;
         });
}

Config tile(std::int32_t k_lanes, std::int32_t rows, std::int32_t rank_vecs) {
  return {k_lanes, rows, rank_vecs, 4, 1, 65536};
}

// Ranks above 12. Zen 4 takes a vector in two halves, so few sums keep it busy, and small blocks
// give no thread much more than another: fitted to the times of 54 problems of 16 to 512 rows with
// 34 to 40 configs each, on two cores. Above rank 16 a tile has the most vectors of ranks that need
// no padding; where padding would be half a vector or more, dot products have none: from times of
// 48 problems of ranks 20 to 96.
Tilings tilings_of_an_amd(const Problem& problem) {
  if (problem.rank > kLanes) {
    const std::int64_t vectors = ceil_div(problem.rank, kLanes);
    const bool half_empty = 2 * (vectors * kLanes - problem.rank) >= kLanes;
    const int rank_vecs = vectors % 4 == 0 ? 4 : (vectors % 2 == 0 ? 2 : 1);
    return {{half_empty ? tile(kLanes, 4, 4) : tile(1, 4, rank_vecs)}, 1, 0.03};
  }
  if (is_narrow(problem) && problem.k > 512) return {{tile(kLanes, 4, 4)}, 1, 0.03};
  if (problem.m < 48 && problem.k > 512) return {{tile(1, 4, 1)}, 1, 0.03};
  return {{tile(1, 8, 1)}, problem.m < 48 ? 2 : 1, 0.03};
}

// Eight rows or more, on registers of 256 bits or less: eight vectors of sums at most, and small
// blocks. From a sweep of 356 problems, and of five of low rank with this variant alone, on two
// cores of Zen 3.
Tilings tilings_of_small_registers(const Problem& problem) {
  Config config =
      problem.rank <= 12 ? tile(kLanes, 2, std::min(4, pow2_ceil(problem.rank))) : tile(1, 4, 1);
  config[kColumnVecs] = 2;
  return {{config}, problem.rank <= 12 ? 6 : 2, 0.03};
}

// Vectors run along the ranks where rows and ranks fill a tile of them. At high ranks A and B are
// too large for a cache and pass by once a block, so blocks may be large.
Tilings suitable_tilings(const Problem& problem, const DeviceInfo& device) {
  if (problem.m >= 8 && has_small_registers(device)) return tilings_of_small_registers(problem);
  if (problem.m < 8 || problem.rank <= 12) {
    // Few rows stand in one tile, even if one of its four rows is past the end.
    const std::int32_t rows = pow2_ceil(std::clamp<std::int64_t>(problem.m, 1, kRowsOfOneTile));
    Config config = tile(kLanes, rows, std::min(kMaxDotVectors / rows, pow2_ceil(problem.rank)));
    if (is_amd(device) && problem.dtype == Dtype::f32 && problem.m >= 48) config[kColumnVecs] = 2;
    return {{config}, 6, 0.03};
  }
  if (is_amd(device)) return tilings_of_an_amd(problem);
  const int rank_vecs = problem.rank > 16 ? 2 : 1;
  if (problem.m < 48) return {{tile(1, 6, rank_vecs), tile(1, 8, rank_vecs)}, 3, 0.08};
  if (problem.rank > 32) return {{tile(1, 6, 4)}, 22, 0.2};
  // f32 rows of 4096 bytes, give or take a few, are in the same sets of a cache, which cannot hold
  // twelve.
  const bool rows_meet =
      problem.dtype == Dtype::f32 && problem.k >= 1020 && (problem.k + 4) % 1024 <= 8;
  return {{tile(1, rows_meet ? 6 : 12, rank_vecs)}, 6, 0.08};
}

// Elements of A and B from which on few rows are worth a second thread, though that thread computes
// h again. Seen with two threads that have a cache of 1 MB each: on an Intel sharing pays as soon
// as one cache cannot hold A and B, on an AMD later, where the next level of the cache is near.
std::int64_t weights_of_a_thread(const Problem& problem, const DeviceInfo& device) {
  return is_amd(device) ? (3 << 20) / std::max<std::int64_t>(2, problem.m) : 3 << 16;
}

// When the last thread is done with the groups of one block of rows, in flops. A thread that asks
// for work gets its share of the groups that are left, one behind the other; the first is awake
// before the others.
double flops_of_the_last_group(const Problem& problem, const ModuleBlocks& blocks, int tile,
                               int threads, const SharingCosts& costs) {
  const auto work_of = [&](std::int64_t columns) {
    return 2.0 * static_cast<double>(problem.m) * problem.rank *
           static_cast<double>(problem.k + columns);
  };
  std::vector<double> work;
  for (int i = 0; i < slice_count(problem); ++i) {
    const Blocks& own = blocks.of_module[static_cast<unsigned>(i)];
    for (std::int64_t b = 0; b < own.count; ++b) {
      work.push_back(
          work_of(std::min(own.tiles * tile, slice_columns(problem, i) - b * own.tiles * tile)));
    }
  }
  std::vector<double> free_at(static_cast<std::size_t>(std::clamp(threads, 1, kMostThreads)),
                              costs.wake_up);
  free_at[0] = 0;
  for (std::size_t next = 0; next < work.size();) {
    double& thread = *std::min_element(free_at.begin(), free_at.end());
    const std::size_t share = (work.size() - next - 1) / free_at.size() + 1;
    for (const std::size_t end = next + share; next < end; ++next)
      thread += work[next] + costs.block;
  }
  return *std::max_element(free_at.begin(), free_at.end());
}

// Blocks of columns that let threads share few rows of a group; the widest of those that do as
// well.
std::int32_t group_block_n(const Problem& problem, const DeviceInfo& device, int tile) {
  const SharingCosts& costs = is_amd(device) ? kSharingOfAnAmd : kSharing;
  std::int32_t best = kBlockNValues.back();
  double least = std::numeric_limits<double>::infinity();
  for (auto columns = kBlockNValues.rbegin(); columns != kBlockNValues.rend(); ++columns) {
    const double flops = flops_of_the_last_group(problem, cut(problem, tile, *columns), tile,
                                                 device.compute_units, costs);
    if (flops >= least) continue;
    least = flops;
    best = *columns;
  }
  return best;
}

// Picks the tiling and the block size with which the last thread ends soonest. Where rows are few
// and weights many, it shares out the columns as well.
Config default_of_rows(const Problem& problem, const DeviceInfo& device) {
  const Tilings suitable = suitable_tilings(problem, device);
  const SharingCosts& costs = is_amd(device) ? kSharingOfAnAmd : kSharing;
  const std::int64_t m = std::max<std::int64_t>(problem.m, 1);
  const double row_flops = useful_flops(problem) / static_cast<double>(m);
  Config best = suitable.tiles.front();
  double least = std::numeric_limits<double>::infinity();
  for (Config config : suitable.tiles) {
    if (config.size() == 0) continue;
    for (const std::int32_t tiles : kRowTilesValues) {
      config[kRowTiles] = tiles;
      if (tiles > suitable.most_tiles || !constraint(config, problem, device)) continue;
      const double flops = flops_of_the_last(m, row_flops, {config[kRows], tiles, suitable.reading},
                                             device.compute_units, costs);
      if (flops > least) continue;
      least = flops;
      best = config;
    }
  }
  if (problem.m <= kRowsOfOneTile && slice_count(problem) > 1) {
    best[kBlockN] = group_block_n(problem, device, best[kColumnVecs] * kLanes);
  } else if (problem.m <= kRowsOfOneTile &&
             problem.rank * (problem.k + problem.n) >= weights_of_a_thread(problem, device)) {
    const auto shared = std::find_if(
        kBlockNValues.begin(), kBlockNValues.end(),
        [&](std::int32_t columns) { return ceil_div(problem.n, columns) <= device.compute_units; });
    if (shared != kBlockNValues.end()) best[kBlockN] = *shared;
  }
  return best;
}

// Blocks of a route's rows, of as many rows as an adapter has.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  if (problem.adapters == 0) return default_of_rows(problem, device);
  Problem alone = problem;
  alone.adapters = 0;
  alone.m = rows_of_an_adapter(problem);
  Config config = default_of_rows(alone, device);
  const auto power = [](const Parameter& parameter, std::int32_t most) {
    std::int32_t largest = 1;
    for (const std::int32_t value : parameter.values) {
      if (value <= most && pow2_ceil(value) == value) largest = value;
    }
    return largest;
  };
  config[kRows] = power(kParameters[kRows], config[kRows]);
  config[kRowTiles] = power(kParameters[kRowTiles], config[kRowTiles]);
  return config;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, cut(problem, config[kColumnVecs] * kLanes, config[kBlockN]));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"RANK", problem.rank},
                                {"K_LANES", config[kKLanes]},
                                {"ROWS", config[kRows]},
                                {"RANK_TILE", rank_tile(config)},
                                {"COLUMN_VECS", config[kColumnVecs]},
                                {"BLOCK_ROWS", block_rows(config)}},
                               true);
  const int columns = config[kColumnVecs] * kLanes;
  plan.a = {config[kKLanes] == 1 ? Layout::panel : Layout::blocked, rank_tile(config), true};
  plan.b = {Layout::panel, columns, true};
  if (problem.m == 0) return plan;
  plan.launches.push_back(make_module_launch("register_tiled", problem, block_rows(config), 1,
                                             cut(problem, columns, config[kBlockN])));
  return plan;
}

// Vectors, register tiles of h and of y, and blocks end at different extents. With vectors along
// the ranks k is taken a few elements at a time, and of two bytes in vectors of stretches.
Tiles tiles(const Problem& problem, const Config& config) {
  const std::int64_t columns = config[kColumnVecs] * kLanes;
  const std::int64_t weights_block = kBBlockFloats / (problem.rank * columns) + 1;
  Tiles tiles{.m = {config[kRows], y_rows(config), block_rows(config)},
              .k = {kLanes},
              .n = {kLanes, columns, columns * weights_block,
                    block_width(static_cast<int>(columns), config[kBlockN])}};
  if (config[kKLanes] == 1) {
    tiles.k = {config[kRows] * config[kRankVecs] < kMaxTileVectors ? 4 : 2};
    if (is_narrow(problem)) tiles.k.insert(tiles.k.end(), {kLanes, kStretch});
  }
  return tiles;
}

Fit fit(const Problem&, const DeviceInfo&) { return Fit::this_device; }

}  // namespace

constinit const Variant variant(
    kKernel,
    {.revision = 3,
     .space = {kParameters, constraint},
     .axes = {.bf16 = true, .mixed = true, .slices = true, .adapters = true, .dora = true},
     .supports = supports,
     .default_config = default_config,
     .plan = plan,
     .flops = flops,
     .tiles = tiles,
     .fit = fit,
     .needs = "a CPU under a driver whose compiler vectorizes private arrays (not rusticl)",
     .proven = kProven});

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
