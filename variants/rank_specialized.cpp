#include <algorithm>
#include <array>

#include "kernels/rank_specialized.cl.h"
#include "variants/internal/planning.h"
#include "variants/internal/tensor_tiles.h"

namespace loratune::rank_specialized {
namespace {

constexpr int kMaxSpecializedRank = 256;  // above, unrolled loops over ranks compile too slowly
constexpr int kMaxRegisterFloats = 256;   // of h in a work-item, unless one row needs more

enum : int { kLanes, kRows, kAVec, kBTile, kBlockN };
constexpr std::array<std::int32_t, 8> kLanesValues = {1, 8, 16, 32, 64, 128, 256, 512};
constexpr std::array<std::int32_t, 5> kRowsValues = {1, 2, 4, 8, 16};
constexpr std::array<std::int32_t, 4> kVectorValues = {1, 4, 8, 16};
constexpr std::array<std::int32_t, 5> kBlockNValues = {64, 256, 512, 1024, 4096};
constexpr std::array<Parameter, 5> kParameters = {{{"LANES", kLanesValues},
                                                   {"ROWS", kRowsValues},
                                                   {"A_VEC", kVectorValues},
                                                   {"B_TILE", kVectorValues},
                                                   {"BLOCK_N", kBlockNValues}}};

std::int64_t padded_rank(const Config& config, int rank) {
  return ceil_div(rank, config[kAVec]) * config[kAVec];
}

// How many columns a work-item may hold at once. Beside x in f32, Intel's CPU compiler (2026.22)
// takes 4 s of processor time for 4 columns of bf16 weights, and more than a minute for 16; 5 s for
// 16 of f16.
int most_columns(const Problem& problem, const DeviceInfo& device) {
  const bool slow = device.platform == "Intel(R) OpenCL" && device.type == DeviceType::cpu &&
                    types_of(problem) == Types(Dtype::f32, Dtype::bf16);
  return slow ? 4 : kVectorValues.back();
}

bool constraint(const Config& config, const Problem& problem, const DeviceInfo& device) {
  const std::int64_t h_floats = config[kRows] * padded_rank(config, problem.rank);
  return problem.rank <= kMaxSpecializedRank && config[kLanes] <= device.max_work_group_size &&
         config[kBTile] <= most_columns(problem, device) &&
         config[kAVec] <= std::max(pow2_ceil(problem.rank), 4) &&
         (config[kRows] == 1 || h_floats <= kMaxRegisterFloats) &&
         (config[kLanes] == 1 || config[kLanes] * h_floats * 4 <= usable_local_bytes(device));
}

bool supports(const Problem& problem, const DeviceInfo&) {
  return problem.rank <= kMaxSpecializedRank;
}

// On a CPU one work-item does whole rows. Elsewhere lanes share k, and columns are cut into blocks
// of which there is one for each compute unit at most, or for every other where x A^T takes long:
// from times of 47 problems of ranks 4 and 8 and 223 of ranks 8 to 12 on an H200.
Config default_config(const Problem& problem, const DeviceInfo& device) {
  const int a_vec = std::max(pow2_ceil(problem.rank), 4);
  Config config;
  if (device.type == DeviceType::cpu) {
    const int rows = at_most(kParameters[kRows], std::clamp<std::int64_t>(problem.m, 1, 8));
    config = {1, rows, std::min(a_vec, 16), most_columns(problem, device), 4096};
  } else {
    const bool few_ranks = problem.rank <= 4;
    const bool many_ranks = problem.rank > 8;
    const bool long_sums = many_ranks && problem.k > 1024;
    const int lanes = long_sums || (few_ranks && problem.m <= 256) ? 512 : 256;
    const int tile = few_ranks || many_ranks || problem.m >= 128 ? 1 : 4;
    const std::int64_t groups = device.compute_units / (long_sums ? 2 : 1);
    const auto columns =
        std::find_if(kBlockNValues.begin() + 1, kBlockNValues.end() - 1,
                     [&](int block) { return problem.m * ceil_div(problem.n, block) <= groups; });
    config = {lanes, 1, std::min(a_vec, 4), tile, *columns};
  }
  const auto fits = [&] { return constraint(config, problem, device); };
  while (!fits() && config[kRows] > 1) config[kRows] /= 2;
  while (!fits() && config[kLanes] > 1) {
    config[kLanes] = at_most(kParameters[kLanes], config[kLanes] - 1);
  }
  return config;
}

double flops(const Problem& problem, const Config& config) {
  return blocked_flops(problem, cut(problem, config[kBTile], config[kBlockN]));
}

LaunchPlan plan(const Problem& problem, const Config& config, const DeviceInfo&) {
  LaunchPlan plan = start_plan(kKernel.source, problem,
                               {{"RANK", problem.rank},
                                {"LANES", config[kLanes]},
                                {"ROWS", config[kRows]},
                                {"A_VEC", config[kAVec]},
                                {"B_TILE", config[kBTile]}});
  plan.a = {Layout::panel, static_cast<int>(padded_rank(config, problem.rank))};
  plan.b = {Layout::panel, config[kBTile]};
  if (problem.m == 0) return plan;
  plan.launches.push_back(make_module_launch("rank_specialized", problem, config[kRows],
                                             config[kLanes],
                                             cut(problem, config[kBTile], config[kBlockN])));
  return plan;
}

Tiles tiles(const Problem&, const Config& config) {
  return {.m = {config[kRows]},
          .k = {config[kLanes]},
          .n = {config[kBTile], config[kBTile] * config[kLanes],
                block_width(config[kBTile], config[kBlockN])}};
}

// Beside tensor cores: of so few ranks and elements of x the groups here have all of x A^T before
// those of any other kernel have theirs, though each group computes it for itself. From times of 1
// to 2048 rows, k 512 to 4096. Of f16 beyond rank 4 a kernel on tensor cores is ahead. Other types
// have the bounds of f32: of them nothing was measured.
Fit fit(const Problem& problem, const DeviceInfo& device) {
  if (!tensor_tiles_suit(problem, device) || !tensor_groups_fit(device)) return Fit::never;
  // With the slices the largest products are beyond 64 bits, and far from small.
  const std::int64_t elements =
      std::min(problem.m * problem.k, std::int64_t{1} << 32) * slice_count(problem);
  const int rank = problem.rank;
  const bool few =
      types_of(problem) == Types(Dtype::f16)
          ? rank <= 4 && problem.m <= 128 && elements <= 1 << 18
          : (rank <= 4 ? problem.m <= 512 && elements <= 1 << 21
                       : rank <= 12 && elements <= (std::int64_t{1} << 23) / (rank * rank));
  return few ? Fit::small_problem : Fit::never;
}

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
  const int lanes = config[kLanes];
  std::vector<float> sums(static_cast<std::size_t>(lanes));
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (int j = 0; j < problem.rank; ++j) {
      std::fill(sums.begin(), sums.end(), 0.0F);
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

}  // namespace loratune::rank_specialized
