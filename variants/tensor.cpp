#include <array>

#include "kernels/tensor.cl.h"
#include "variants/internal/planning.h"
#include "variants/internal/tensor_tiles.h"

namespace loratune::tensor {
namespace {

constexpr int kMaxTensorRank = 256;

enum : int {
  kWarps,
  kRowTiles,
  kRankTiles,
  kRowWarps,
  kRankWarps,
  kSlices,
  kPieces,
  kOutTiles,
  kColumnTiles
};
constexpr std::array<std::int32_t, 3> kWarpsValues = {4, 8, 16};
constexpr std::array<std::int32_t, 3> kTilesValues = {1, 2, 4};
constexpr std::array<std::int32_t, 4> kWideTilesValues = {1, 2, 4, 8};
constexpr std::array<std::int32_t, 7> kSlicesValues = {1, 2, 4, 8, 16, 32, 64};
constexpr std::array<std::int32_t, 2> kRankWarpsValues = {1, 2};
constexpr std::array<Parameter, 9> kParameters = {{{"WARPS", kWarpsValues},
                                                   {"ROW_TILES", kTilesValues},
                                                   {"RANK_TILES", kWideTilesValues},
                                                   {"ROW_WARPS", kTilesValues},
                                                   {"RANK_WARPS", kRankWarpsValues},
                                                   {"SLICES", kSlicesValues},
                                                   {"PIECES", kTilesValues},
                                                   {"OUT_TILES", kWideTilesValues},
                                                   {"COLUMN_TILES", kWideTilesValues}}};

// Rows and ranks of a group in shrink.
int group_rows(const Config& config) { return 16 * config[kRowTiles] * config[kRowWarps]; }
int group_ranks(const Config& config) { return 8 * config[kRankTiles] * config[kRankWarps]; }

// Warps that share out the k of the same rows and ranks.
int k_warps(const Config& config) {
  return config[kWarps] / (config[kRowWarps] * config[kRankWarps]);
}

// How a problem is cut. A slice of k is of whole pieces, and none is empty.
struct Cut {
  std::int64_t pieces, slice_pieces, slices, panels, shrink_units, expand_units;
  std::int64_t h_rows;  // at most
};

// Columns of h: the ranks of all modules.
int ranks_of_all(const Problem& problem) { return slice_count(problem) * tensor_ranks(problem); }

// A group of expand takes a panel for each warp, of one module.
ModuleBlocks column_blocks(const Problem& problem, const Config& config) {
  const int panel = 8 * config[kColumnTiles];
  return cut(problem, panel, panel * config[kWarps]);
}

Cut cut(const Problem& problem, const Config& config) {
  Cut cut{};
  cut.pieces = ceil_div(problem.k, tensor_piece(problem));
  cut.slice_pieces = ceil_div(cut.pieces, config[kSlices]);
  cut.slices = ceil_div(cut.pieces, cut.slice_pieces);
  cut.panels = ceil_div(ranks_of_all(problem), group_ranks(config));
  const std::int64_t rows = group_rows(config);
  if (problem.adapters == 0) {
    cut.shrink_units = ceil_div(problem.m, rows) * cut.panels * cut.slices;
    cut.h_rows = problem.m;
    cut.expand_units =
        ceil_div(problem.m, 16 * config[kOutTiles]) * column_blocks(problem, config).count;
    return cut;
  }
  const std::int64_t most = most_route_blocks(problem, rows);
  const std::int64_t likely = problem.adapters * ceil_div(rows_of_an_adapter(problem), rows);
  cut.h_rows = most * rows;
  cut.shrink_units = std::min(likely, most) * cut.panels * cut.slices;
  cut.expand_units = std::min(likely, most) * column_blocks(problem, config).count;
  return cut;
}

int run(const Problem& problem, const Config& config) {
  return tensor_run(group_rows(config), group_ranks(config), config[kPieces], k_warps(config),
                    cut(problem, config).slice_pieces);
}

constexpr std::int64_t kHeaderBytes = 128;  // of the scratch: the count of arrivals

std::int64_t scratch_bytes(const Problem& problem, const Config& config) {
  const Cut pieces = cut(problem, config);
  const std::int64_t h_columns = pieces.panels * group_ranks(config);
  return kHeaderBytes + pieces.slices * pieces.h_rows * h_columns * 4;
}

// Chunks of ranks that expand holds in local memory at a time.
int rank_chunks(int rank) {
  return static_cast<int>(std::min<std::int64_t>(4, ceil_div(rank, 4 * ranks_a_lane(rank))));
}

// Tiles whose sums a warp of expand holds at once: of a stage of one step of ranks it takes one
// after the other.
int sum_tiles(int rank, const Config& config) {
  return rank <= 4 * ranks_a_lane(rank) * rank_chunks(rank) ? 1 : config[kOutTiles];
}

std::int64_t local_bytes(const Problem& problem, const Config& config) {
  const std::int64_t shrink =
      k_warps(config) == 1 ? 4 : tensor_sums_bytes(config[kWarps], config[kRankTiles]);
  const std::int64_t stages =
      2 * 2 * config[kOutTiles] * rank_chunks(problem.rank) * 128 * tensor_share_words(problem);
  const std::int64_t maxima = 2 * 4 * 16 * config[kOutTiles] * 4;
  return std::max(shrink, stages) + maxima;
}

// Registers of a work-item that hold tiles, roughly.
std::int64_t tile_registers(const Problem& problem, const Config& config) {
  const std::int64_t shrink =
      tensor_shrink_registers(problem, config[kRowTiles], config[kRankTiles], config[kPieces]);
  const std::int64_t before =
      problem.accumulate ? 2 * config[kOutTiles] * tensor_data_words(problem) : 0;
  const std::int64_t expand =
      config[kColumnTiles] *
          (4 * sum_tiles(problem.rank, config) + before +
           rank_chunks(problem.rank) * ranks_a_lane(problem.rank) / 2 * tensor_b_words(problem)) +
      rank_chunks(problem.rank) * ranks_a_lane(problem.rank);
  return std::max(shrink, expand);
}

// Work-groups that a compute unit surely holds: its 65,536 registers are enough for 256 work-items
// of 255, the most that a work-item has.
std::int64_t groups_a_unit(const Config& config) { return std::max(1, 8 / config[kWarps]); }

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  const std::int64_t wg = 32 * config[kWarps];
  return wg <= device.max_work_group_size &&
         local_bytes(problem, config) <= usable_local_bytes(device) &&
         config[kRowWarps] * config[kRankWarps] <= config[kWarps] &&
         group_ranks(config) < 2 * std::max(ranks_of_all(problem), 8) &&
         std::max(group_rows(config), 16 * config[kOutTiles]) <
             2 * std::max<std::int64_t>(problem.m, 16) &&
         (problem.adapters == 0 || (is_block_of_route(group_rows(config)) &&
                                    16 * config[kOutTiles] <= group_rows(config))) &&
         wg * (tile_registers(problem, config) + 40) <= 65536 &&
         tile_registers(problem, config) <= 200 &&
         scratch_bytes(problem, config) <= device.max_alloc_bytes;
}

bool supports(const Problem& problem, const DeviceInfo& device) {
  return tensor_tiles_suit(problem, device) && tensor_groups_fit(device) &&
         problem.rank <= kMaxTensorRank &&
         scratch_bytes(problem, {8, 1, 1, 1, 1, 1, 1, 1, 1}) <= device.max_alloc_bytes;
}

// Narrow tiles until every compute unit has work, wide ones where it has: fewer groups then read
// the same part of A or B again. k is cut last, and not too short: slices have to be added up.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  Config config = {8, 1, 1, 1, 1, 1, 1, 1, 1};
  const auto widen = [&](int parameter, int most, auto enough) {
    widen_while(config, kParameters[static_cast<std::size_t>(parameter)], parameter, most,
                [&] { return constraint(config, problem, device) && enough(); });
  };
  const auto always = [] { return true; };
  const auto expand_full = [&] {
    return 2 * cut(problem, config).expand_units >= device.compute_units;
  };
  const bool halves = tensor_halves(problem);
  const int most_slices = halves ? 2 : 4;
  const auto slices_fill = [&] {
    const Cut now = cut(problem, config);
    return 4 * most_slices * now.shrink_units >=
           std::int64_t{3} * device.compute_units * now.slices;
  };
  const auto few_slices_fill = [&] {
    const Cut now = cut(problem, config);
    return 5 * now.shrink_units >= device.compute_units * now.slices * now.panels;
  };
  if (problem.m >= 64) {
    widen(kRankTiles, 2, slices_fill);
    widen(kRankWarps, 2, slices_fill);
    widen(kRankTiles, 4, slices_fill);
    widen(kRowWarps, 2, few_slices_fill);
    widen(kRowTiles, 2, few_slices_fill);
  }
  widen(kColumnTiles, halves ? 8 : 4, expand_full);
  widen(kOutTiles, 4, expand_full);
  // As measured: of f32 of a few ranks more pieces pay beside one tile of rows and wide ones of y.
  const bool wide_row =
      problem.rank > 8 && problem.rank <= 16 && config[kOutTiles] == 1 && config[kColumnTiles] == 4;
  const bool more = !halves && (problem.m > 512 || wide_row);
  widen(kPieces, more ? 4 : 2, always);
  widen(kSlices, 64, [&] {
    const Cut now = cut(problem, config);
    const int least = config[kSlices] <= 2 ? 1 : (halves ? 4 : 2);
    return now.shrink_units <= device.compute_units &&
           now.pieces >= config[kSlices] * k_warps(config) * least;
  });
  return config;
}

double flops(const Problem& problem, const Config&) { return useful_flops(problem); }

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo& device) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"WARPS", config[kWarps]},
                                {"ROW_TILES", config[kRowTiles]},
                                {"RANK_TILES", config[kRankTiles]},
                                {"ROW_WARPS", config[kRowWarps]},
                                {"RANK_WARPS", config[kRankWarps]},
                                {"PIECES", config[kPieces]},
                                {"RUN", run(problem, config)},
                                {"OUT_TILES", config[kOutTiles]},
                                {"SUM_TILES", sum_tiles(problem.rank, config)},
                                {"COLUMN_TILES", config[kColumnTiles]},
                                {"RANKS_A_LANE", ranks_a_lane(problem.rank)},
                                {"RANK_CHUNKS", rank_chunks(problem.rank)}});
  plan.a = tensor_a(problem);
  plan.b = {Layout::panel, 8 * config[kColumnTiles]};
  plan.needs_residency = true;
  if (problem.m == 0) return plan;
  const Cut pieces = cut(problem, config);
  plan.scratch.push_back({static_cast<std::uint64_t>(scratch_bytes(problem, config)), Zero::once});
  std::vector<Arg> own = {{Role::rank}, {Role::i32, pieces.slice_pieces}};
  if (problem.adapters > 0) own.push_back({Role::block_count, group_rows(config)});
  plan.launches.push_back(make_module_launch(
      "tensor", problem,
      Grid{std::min<std::int64_t>(device.compute_units * groups_a_unit(config),
                                  std::max(pieces.shrink_units, pieces.expand_units))},
      32 * config[kWarps], column_blocks(problem, config), own, {{Role::scratch, 0}},
      group_rows(config)));
  return plan;
}

// Shrink takes units, pieces, runs of pieces, and all warps' pieces, of each slice; expand takes
// panels, one a warp.
Tiles tiles(const Problem& problem, const Config& config) {
  const std::int64_t panel = 8 * config[kColumnTiles];
  return {.m = {8, 16, group_rows(config), 16 * config[kOutTiles]},
          .k = tensor_k_tiles(problem, config[kPieces], k_warps(config), config[kSlices]),
          .n = {panel, panel * config[kWarps]}};
}

Fit fit(const Problem&, const DeviceInfo&) { return Fit::this_device; }

}  // namespace

constinit const Variant variant(
    kKernel, {.revision = 4,
              .space = {kParameters, constraint},
              .axes = {.bf16 = true, .mixed = true, .slices = true, .adapters = true, .dora = true},
              .supports = supports,
              .default_config = default_config,
              .plan = plan,
              .flops = flops,
              .tiles = tiles,
              .fit = fit,
              .needs = kNeedsTensorCores});

void reference(const Problem& problem, const Config& config, const DeviceInfo&,
               const HostTensors& t) {
  tensor_reference(problem, cut(problem, config).slice_pieces, k_warps(config),
                   run(problem, config), t);
}

}  // namespace loratune::tensor
