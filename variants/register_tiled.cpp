#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "kernels/register_tiled.cl.h"
#include "variants/internal/planning.h"

namespace loratune::register_tiled {
namespace {

constexpr int kLanes = 16;           // of a vector, in the kernel
constexpr int kMaxTileVectors = 24;  // in registers, of the 32 that AVX-512 has
constexpr int kMaxDotVectors = 16;   // of them with K_LANES 16: they end in one vector of sums
// Of h on a thread's stack, unless one tile needs more.
constexpr std::int64_t kMaxHFloats = 1 << 15;
// Fitted to the times of 436 problems of 8 to 512 rows on a Xeon: the loads of weights, in
// multiples of the products of a row; what a row past the end costs.
constexpr double kLoading = 1.5;
constexpr double kRowPastTheEnd = 0.3;
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

// What sharing rows out costs: the flops that the first thread does while the others wake up, and
// that any does while it is handed a block; and a row of the others in rows of the first. Of these,
// the first is from the same times, the second from those of 324 problems of 8 to 200 rows, ranks 4
// to 12, with four configs each, on two cores of Zen 4.
struct Sharing {
  double wake_up, block, row;
};
constexpr Sharing kSharing = {4e5, 4e4, 1};
constexpr Sharing kSharingOfAnAmd = {3e5, 1e4, 1.2};

struct Tilings {
  std::vector<Config> tiles;  // of registers, that suit the problem
  std::int32_t most_tiles;    // of rows in a block
  double reading;             // A and B for a block, in multiples of the work of a tile
};

bool is_amd(const DeviceInfo& device) { return device.vendor == "AuthenticAMD"; }

Config tile(std::int32_t k_lanes, std::int32_t rows, std::int32_t rank_vecs) {
  return {k_lanes, rows, rank_vecs, 4, 1, 65536};
}

// Above rank 12, on two cores of Zen 4: it takes a vector in two halves, so that few sums keep it
// busy, and of small blocks no thread has much more than another. Fitted to the times of 54
// problems of 16 to 512 rows, with 34 to 40 configs each. Above rank 16 as many vectors of ranks as
// there is no padding for; dot products, which have none, where half a vector would be: from times
// of 48 problems of ranks 20 to 96.
Tilings tilings_of_an_amd(const Problem& problem) {
  if (problem.rank > kLanes) {
    const std::int64_t vectors = ceil_div(problem.rank, kLanes);
    const bool half_empty = 2 * (vectors * kLanes - problem.rank) >= kLanes;
    const int rank_vecs = vectors % 4 == 0 ? 4 : (vectors % 2 == 0 ? 2 : 1);
    return {{half_empty ? tile(kLanes, 4, 4) : tile(1, 4, rank_vecs)}, 1, 0.03};
  }
  if (problem.dtype == Dtype::f16 && problem.k > 512) return {{tile(kLanes, 4, 4)}, 1, 0.03};
  if (problem.m < 48 && problem.k > 512) return {{tile(1, 4, 1)}, 1, 0.03};
  return {{tile(1, 8, 1)}, problem.m < 48 ? 2 : 1, 0.03};
}

// Vectors along the ranks where rows and ranks fill a tile of them. At high ranks blocks may be
// large, since A and B, too large for a cache, pass by once a block.
Tilings suitable_tilings(const Problem& problem, const DeviceInfo& device) {
  if (problem.m < 8 || problem.rank <= 12) {
    // All rows in one tile where there are few, though one of four be past the end.
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

// When the last thread ends, in rows of the first. As PoCL hands out blocks: whoever asks gets its
// share of what is left, so the first thread at once that of all; the others ask when they are
// awake, `wake_up` rows later.
double rows_of_the_last(std::int64_t m, std::int64_t block, int threads, double wake_up,
                        double row) {
  if (m > 16 * threads * block) {
    const double others = (threads - 1) / row;
    return (static_cast<double>(m) + others * wake_up) / (1 + others);
  }
  std::vector<double> free_at(static_cast<std::size_t>(threads), wake_up);
  free_at.front() = 0;
  double last = 0;
  for (std::int64_t left = m; left > 0;) {
    const auto thread = std::min_element(free_at.begin(), free_at.end());
    const std::int64_t share = ceil_div(ceil_div(left, block), threads) * block;
    *thread += static_cast<double>(std::min(share, left)) * (thread == free_at.begin() ? 1 : row);
    last = std::max(last, *thread);
    left -= share;
  }
  return last;
}

// How long the thread that ends last takes, in flops.
double flops_of_the_last(const Problem& problem, const Config& config, const DeviceInfo& device,
                         double reading) {
  const std::int64_t m = std::max<std::int64_t>(problem.m, 1);
  const double row_flops = useful_flops(problem) / static_cast<double>(m);
  const std::int64_t blocks = ceil_div(m, block_rows(config));
  const std::int64_t past_the_end = ceil_div(m, config[kRows]) * config[kRows] - m;
  const Sharing& sharing = is_amd(device) ? kSharingOfAnAmd : kSharing;
  const double rows = rows_of_the_last(m, block_rows(config), device.compute_units,
                                       sharing.wake_up / row_flops, sharing.row) +
                      kRowPastTheEnd * static_cast<double>(past_the_end);
  return rows * row_flops * (1 + kLoading / config[kRows]) * (1 + reading / config[kRowTiles]) +
         static_cast<double>(ceil_div(blocks, device.compute_units)) * sharing.block;
}

// Elements of A and B from which on few rows are worth a second thread, though it computes h again.
// Seen with two threads that have a cache of 1 MB each: an Intel's want to share A and B as soon as
// one's cannot hold them, an AMD's are near enough to the next.
std::int64_t weights_of_a_thread(const Problem& problem, const DeviceInfo& device) {
  return is_amd(device) ? (3 << 20) / std::max<std::int64_t>(2, problem.m) : 3 << 16;
}

// Of these the one, in blocks of as many rows, with which the last thread ends soonest. Of few rows
// the columns are shared out where the weights are many.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  const Tilings suitable = suitable_tilings(problem, device);
  Config best = suitable.tiles.front();
  double least = std::numeric_limits<double>::infinity();
  for (Config config : suitable.tiles) {
    for (const std::int32_t tiles : kRowTilesValues) {
      config[kRowTiles] = tiles;
      if (tiles > suitable.most_tiles || !constraint(config, problem, device)) continue;
      const double flops = flops_of_the_last(problem, config, device, suitable.reading);
      if (flops > least) continue;
      least = flops;
      best = config;
    }
  }
  if (problem.m <= kRowsOfOneTile &&
      problem.rank * (problem.k + problem.n) >= weights_of_a_thread(problem, device)) {
    const auto shared = std::find_if(
        kBlockNValues.begin(), kBlockNValues.end(),
        [&](std::int32_t columns) { return ceil_div(problem.n, columns) <= device.compute_units; });
    if (shared != kBlockNValues.end()) best[kBlockN] = *shared;
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
    "register_tiled", kSource,        kSourceSha256, 3,     {kParameters, constraint},
    supports,         default_config, plan,          flops, kProven};

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
