#include <array>

#include "kernels/tensor_rows.cl.h"
#include "variants/internal/planning.h"
#include "variants/internal/tensor_tiles.h"

namespace loratune::tensor_rows {
namespace {

constexpr int kMaxRowsRank = 64;  // all of a panel of B stands in a warp's registers

enum : int { kRankWarps, kWarps, kRowTiles, kRowWarps, kPieces, kColumnTiles, kAhead, kParts };
constexpr std::array<std::int32_t, 3> kWarpsValues = {4, 8, 16};
constexpr std::array<std::int32_t, 2> kAheadValues = {1, 2};
constexpr std::array<std::int32_t, 7> kPartsValues = {1, 2, 4, 8, 16, 32, 64};
constexpr std::array<std::int32_t, 3> kTilesValues = {1, 2, 4};
constexpr std::array<std::int32_t, 4> kWideTilesValues = {1, 2, 4, 8};
constexpr std::array<Parameter, 8> kParameters = {{{"RANK_WARPS", kTilesValues},
                                                   {"WARPS", kWarpsValues},
                                                   {"ROW_TILES", kTilesValues},
                                                   {"ROW_WARPS", kTilesValues},
                                                   {"PIECES", kTilesValues},
                                                   {"COLUMN_TILES", kWideTilesValues},
                                                   {"AHEAD", kAheadValues},
                                                   {"PARTS", kPartsValues}}};

// Rows of a block.
int block_rows(const Config& config) { return 16 * config[kRowTiles] * config[kRowWarps]; }

// Tiles of a warp of shrink such that RANK_WARPS of them side by side have all ranks.
int rank_tiles(const Config& config, int rank) {
  return static_cast<int>(ceil_div(rank, 8 * config[kRankWarps]));
}

// Warps that share out the k of the same rows and ranks; 0 where there are too few.
int k_warps(const Config& config) {
  return config[kWarps] / (config[kRowWarps] * config[kRankWarps]);
}

std::int64_t pieces(const Problem& problem) { return ceil_div(problem.k, tensor_piece(problem)); }

int run(const Problem& problem, const Config& config) {
  const int ranks = 8 * rank_tiles(config, problem.rank) * config[kRankWarps];
  return tensor_run(block_rows(config), ranks, config[kPieces], k_warps(config), pieces(problem));
}

int rank_chunks(int rank) { return static_cast<int>(ceil_div(rank, 4 * ranks_a_lane(rank))); }

std::int64_t local_bytes(const Problem& problem, const Config& config) {
  const int tiles = rank_tiles(config, problem.rank);
  const std::int64_t h = std::int64_t{block_rows(config)} * 8 * tiles * config[kRankWarps] * 4;
  const std::int64_t sums = tensor_sums_bytes(config[kWarps], tiles);  // less, if k is not shared
  const std::int64_t stage =
      block_rows(config) / 8 * rank_chunks(problem.rank) * 128 * tensor_share_words(problem);
  const std::int64_t maxima = 4 * block_rows(config) * 4;
  return std::max(h + sums, stage) + maxima;
}

// Registers of a work-item that hold tiles, roughly.
std::int64_t tile_registers(const Problem& problem, const Config& config) {
  const std::int64_t shrink = tensor_shrink_registers(
      problem, config[kRowTiles], rank_tiles(config, problem.rank), config[kPieces]);
  const std::int64_t before =
      problem.accumulate ? 2 * config[kAhead] * tensor_data_words(problem) : 0;
  const std::int64_t expand =
      config[kColumnTiles] *
      (4 + before +
       rank_chunks(problem.rank) * ranks_a_lane(problem.rank) / 2 * tensor_b_words(problem));
  return std::max(shrink, expand);
}

// PARTS of all columns, each module's share of them but one at least.
ModuleBlocks column_parts(const Problem& problem, const Config& config) {
  ModuleBlocks parts;
  for (int i = 0; i < slice_count(problem); ++i) {
    const std::int64_t share = config[kParts] * slice_columns(problem, i) / problem.n;
    parts.of_module[static_cast<unsigned>(i)] = {1, std::max<std::int64_t>(share, 1)};
    parts.count += std::max<std::int64_t>(share, 1);
  }
  return parts;
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  const std::int64_t wg = 32 * config[kWarps];
  return wg <= device.max_work_group_size && k_warps(config) >= 1 &&
         16 * config[kAhead] <= block_rows(config) &&
         (problem.adapters == 0 || is_block_of_route(block_rows(config))) &&
         8 * config[kRankWarps] < 2 * std::max(problem.rank, 8) &&
         block_rows(config) < 2 * std::max<std::int64_t>(problem.m, 16) &&
         8 * config[kColumnTiles] * config[kParts] < 2 * std::max<std::int64_t>(problem.n, 16) &&
         local_bytes(problem, config) <= usable_local_bytes(device) &&
         wg * (tile_registers(problem, config) + 40) <= 65536 &&
         tile_registers(problem, config) <= 200;
}

bool supports(const Problem& problem, const DeviceInfo& device) {
  return tensor_tiles_suit(problem, device) && tensor_groups_fit(device) &&
         problem.rank <= kMaxRowsRank;
}

// Blocks as large as they can be while there are enough of them, but f32 of few ranks: more groups
// a compute unit are worth more there; and with one each, more warps are. Parts until half the
// device is busy, two where that is a group a compute unit, and four of f16 with many weights. Rows
// of 128 bytes are worth more than panels for all warps, but not there.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  Config config = {1, 8, 1, 1, 1, 1, 1, 1};
  const auto widen = [&](int parameter, int most, auto wanted) {
    widen_while(config, kParameters[static_cast<std::size_t>(parameter)], parameter, most,
                [&] { return constraint(config, problem, device) && wanted(); });
  };
  const bool f16 = tensor_halves(problem);
  const std::int64_t rows = rows_of_an_adapter(problem);
  const auto groups = [&] {
    return std::max(problem.adapters, 1) * ceil_div(rows, block_rows(config)) *
           column_parts(problem, config).count;
  };
  const auto device_full = [&] { return fills(groups(), device); };
  if (f16 || problem.rank > 16) {
    widen(kRowTiles, 2, device_full);
    widen(kRowWarps, 2, device_full);
  }
  const bool many_weights = f16 && problem.rank > 16 && problem.k > 512;
  widen(kParts, 64, [&] {
    const bool all = config[kParts] == 2 || (many_weights && config[kParts] == 4);
    return groups() <= device.compute_units / (all ? 1 : 2) && 64 * config[kParts] <= problem.n;
  });
  widen(kColumnTiles, f16 && !(many_weights && config[kParts] >= 4) ? 8 : 4,
        [&] { return 4 * 8 * config[kColumnTiles] * config[kParts] <= problem.n; });
  widen(kAhead, f16 ? 2 : 1, [] { return true; });
  const bool one_a_unit = !f16 && problem.rank <= 16 && groups() <= device.compute_units;
  widen(kWarps, 16, [&] { return one_a_unit && problem.k > 512; });
  widen(kPieces, one_a_unit || (f16 && problem.rank > 32) ? 2 : 4,
        [&] { return config[kPieces] * k_warps(config) * tensor_piece(problem) <= problem.k; });
  return config;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, column_parts(problem, config));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"WARPS", config[kWarps]},
                                {"ROW_TILES", config[kRowTiles]},
                                {"RANK_TILES", rank_tiles(config, problem.rank)},
                                {"ROW_WARPS", config[kRowWarps]},
                                {"RANK_WARPS", config[kRankWarps]},
                                {"PIECES", config[kPieces]},
                                {"RUN", run(problem, config)},
                                {"COLUMN_TILES", config[kColumnTiles]},
                                {"AHEAD", config[kAhead]},
                                {"RANKS_A_LANE", ranks_a_lane(problem.rank)},
                                {"RANK_CHUNKS", rank_chunks(problem.rank)}});
  plan.a = tensor_a(problem);
  plan.b = {Layout::panel, 8 * config[kColumnTiles]};
  if (problem.m == 0) return plan;
  plan.launches.push_back(make_module_launch("tensor_rows", problem, block_rows(config),
                                             32 * config[kWarps], column_parts(problem, config),
                                             {{Role::rank}}));
  return plan;
}

// Each part has whole panels, and its warps take them in turn.
Tiles tiles(const Problem& problem, const Config& config) {
  const std::int64_t panel = 8 * config[kColumnTiles];
  const std::int64_t all_parts = panel * config[kParts];
  return {.m = {8, 16, 16 * config[kAhead], block_rows(config)},
          .k = tensor_k_tiles(problem, config[kPieces], k_warps(config), 1),
          .n = {all_parts, all_parts + panel, all_parts * config[kWarps]}};
}

// Where this kernel, which reads A and B again for each block of rows, is ahead of one whose groups
// wait for one another: from times of 1 to 8192 rows, k = n 512 to 4096. It is where the smallest
// blocks give each compute unit one. Fewer rows are shared out by columns, and x A^T is computed
// for each part again: that pays where A and B are small for so many rows, and k is; less so for
// f32 of few ranks, which reads little but x. Of rows of several adapters it pays with few ranks,
// or where several modules share out the groups anyway: from times of 16 to 512 rows of 8 adapters.
Fit fit(const Problem& problem, const DeviceInfo& device) {
  constexpr std::int64_t kLeastRows = 16;
  const std::int64_t blocks =
      std::max(problem.adapters, 1) * ceil_div(rows_of_an_adapter(problem), kLeastRows);
  if (fills(blocks, device)) return Fit::this_problem;
  if (problem.adapters > 0) {
    const bool pays = problem.rank <= 16 || slice_count(problem) > 1;
    return pays ? Fit::this_problem : Fit::never;
  }
  const std::int64_t weights = problem.rank * (problem.k + problem.n);
  const bool f16 = tensor_halves(problem);
  const std::int64_t few =
      f16 ? (problem.k < 1536 ? 3 << 15 : 11 << 13) : (problem.rank > 8 ? 6 << 12 : 3 << 12);
  const bool short_rows = !f16 || problem.k < 4096 || problem.rank <= 8;
  const bool pays = short_rows && weights <= std::max(few, (f16 ? 160 : 24) * problem.m);
  return pays ? Fit::this_problem : Fit::never;
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
              .needs = kNeedsTensorCores});

void reference(const Problem& problem, const Config& config, const DeviceInfo&,
               const HostTensors& t) {
  tensor_reference(problem, pieces(problem), k_warps(config), run(problem, config), t);
}

}  // namespace loratune::tensor_rows
