#include "harness/check/matrix.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <optional>
#include <set>

#include "harness/base/problem_size.h"
#include "harness/check/shapes.h"
#include "tuner/candidates.h"

namespace loratune {
namespace {

constexpr double kMostReferenceFlops = 5e7;
constexpr int kConfigsPerClass = 8;  // of each pair of types and accumulate

constexpr Dtype kF32 = Dtype::f32, kF16 = Dtype::f16, kBf16 = Dtype::bf16;
constexpr std::array<Types, 9> kTypes = {{kF32,
                                          kF16,
                                          kBf16,
                                          {kF32, kF16},
                                          {kF32, kBf16},
                                          {kF16, kF32},
                                          {kF16, kBf16},
                                          {kBf16, kF32},
                                          {kBf16, kF16}}};
constexpr int kWhole = 2;  // of them share cases, and so do the others: Turn

std::vector<Case> boundary_shapes(const Variant& variant, const DeviceInfo& device,
                                  const Types& types, bool accumulate, bool full) {
  const Problem typical = typical_problem(types, accumulate, kTypicalRanks[0]);
  const Tiles tiles = variant.tiles(typical, variant.default_config(typical, device));
  const std::int64_t k_tile = widest(tiles.k, 64);
  const std::int64_t n_tile = widest(tiles.n, 16);
  const std::vector<std::int64_t> ms = {0, 1, 2, 3, 17, 129};
  const std::vector<std::int64_t> ks = {1, 13, k_tile - 1, k_tile, k_tile + 1, 563, 2049, 4097};
  const std::vector<std::int64_t> ns = {1, 13, n_tile - 1, n_tile, n_tile + 1, 563, 2049, 4097};
  const std::vector<int> ranks = {1, 3, 4, 25, 64, 128, 256};
  const auto size = [](const auto& axis) { return static_cast<int>(std::size(axis)); };
  const auto at = [](const auto& axis, int i) { return axis[static_cast<std::size_t>(i)]; };
  std::vector<Case> shapes;
  // Types and accumulate are axes of the covering set: each pair of them takes its rows of it.
  const auto [turn, of] = turn_of(types);
  for (const auto& row :
       boundary_rows({size(ks), size(ns), size(ranks), size(ms), size(kStrides), of, 2}, full)) {
    if (row[5] != turn || (row[6] == 1) != accumulate) continue;
    shapes.push_back(make_shape(types, accumulate, at(ms, row[3]), at(ks, row[0]), at(ns, row[1]),
                                at(ranks, row[2]), kStrides[row[4]]));
  }
  return shapes;
}

// The ranks of ShapeClass::ranks: each up to `block`, and from there to 256 one of each remainder
// by `block`, out of all the blocks in turn. Kernels walk a rank in vectors and tiles of at most
// 16, so that a higher rank has no end that these lack, and more of what compilers take long for.
std::vector<int> tried_ranks(int block) {
  constexpr int kMost = 256;
  std::vector<int> ranks;
  for (int rank = 1; rank <= block; ++rank) ranks.push_back(rank);
  const int blocks = kMost / block - 1;
  for (int rank = 1; rank <= block; ++rank) ranks.push_back((1 + rank % blocks) * block + rank);
  return ranks;
}

// Each of the ranks in one of the combinations of types and accumulate, and a rank that only the
// general variants take.
std::vector<Case> rank_shapes(const Types& types, bool accumulate, bool full) {
  std::vector<Case> shapes;
  const auto [turn, of] = turn_of(types);
  const int combinations = 2 * of;
  const int own = turn + (accumulate ? of : 0);
  int index = 0;
  for (const int rank : tried_ranks(full ? 128 : of == kWhole ? 64 : 32)) {
    if ((index + index / combinations) % combinations == own)
      shapes.push_back(make_shape(types, accumulate, 3, 67, 35, rank));
    ++index;
  }
  const int large[] = {257, 300, 513, 1024};
  shapes.push_back(make_shape(types, accumulate, 2, 67, 35, large[own % 4]));
  return shapes;
}

// The extents of the first shape of `values` and of `huge`, which so share a program.
constexpr std::int64_t kFew[] = {3, 131, 67};

// Rows so far apart that element positions pass 2^31.
std::vector<Case> huge_shapes(const Types& types, bool accumulate) {
  constexpr std::int64_t kApart = (std::int64_t{1} << 30) + 7;
  constexpr Strides kHuge[] = {{0, kApart, 0, 0}, {0, 0, 0, kApart}};
  std::vector<Case> shapes;
  for (std::size_t i = 0; i < std::size(kHuge); ++i) {
    if (has_own(types, i, std::size(kHuge)))
      shapes.push_back(make_shape(types, accumulate, kFew[0], kFew[1], kFew[2], 8, kHuge[i]));
  }
  return shapes;
}

// The extents around the edges of the tiles, each once, and those too wide left out.
std::set<std::int64_t> around(const std::vector<std::int64_t>& tiles) {
  std::set<std::int64_t> extents;
  for (const std::int64_t tile : tiles) {
    if (tile >= 2 && tile <= kWidestEdge) extents.insert({tile - 1, tile, tile + 1});
  }
  return extents;
}

// The case of a config on the first of the shapes that it may run on, and that takes it few flops.
std::optional<MatrixCase> first_allowed(const Variant& variant, const Config& config,
                                        const DeviceInfo& device,
                                        std::initializer_list<Case> shapes) {
  for (const Case& shape : shapes) {
    if (can_run(variant, config, shape.problem, device) &&
        variant.flops(shape.problem, config) <= kMostKernelFlops) {
      return MatrixCase{&variant, config, shape, kBothFills, device};
    }
  }
  return std::nullopt;
}

// A case keeps the config whose tiles it tries, and types that take turns have all edges of a
// config or none, since a config of other types is another program. The other two extents are
// small, or, where the config is not allowed on such a shape, the extents of the problem that the
// config is for.
std::vector<MatrixCase> edge_cases(const Variant& variant, const DeviceInfo& device,
                                   const Types& types, bool accumulate) {
  constexpr int kConfigs = 3;  // of each rank: the default, a neighbour of it, and any other
  constexpr std::int64_t kSmall[] = {5, 67, 35};
  std::vector<MatrixCase> cases;
  for (const int rank : kTypicalRanks) {
    const Problem typical = typical_problem(types, accumulate, rank);
    for (const Config& config : own_configs(variant, typical, device, kConfigs, 1)) {
      const Tiles tiles = variant.tiles(typical, config);
      const std::set<std::int64_t> axes[] = {around(tiles.m), around(tiles.k), around(tiles.n)};
      for (std::size_t axis = 0; axis < std::size(axes); ++axis) {
        for (const std::int64_t extent : axes[axis]) {
          const auto shape = [&](std::int64_t m, std::int64_t k, std::int64_t n) {
            return make_shape(types, accumulate, axis == 0 ? extent : m, axis == 1 ? extent : k,
                              axis == 2 ? extent : n, rank, kStrides[3]);
          };
          const auto made = first_allowed(
              variant, config, device,
              {shape(kSmall[0], kSmall[1], kSmall[2]), shape(typical.m, typical.k, typical.n)});
          if (made) cases.push_back(*made);
        }
      }
    }
  }
  return cases;
}

std::vector<MatrixCase> config_cases(const Variant& variant, const DeviceInfo& device,
                                     const Types& types, bool accumulate) {
  std::vector<MatrixCase> cases;
  for (const int rank : kTypicalRanks) {
    const Case shape = make_shape(types, accumulate, 19, 203, 301, rank, kStrides[3]);
    if (!variant.supports(shape.problem, device)) continue;
    const std::uint64_t seed = static_cast<std::uint64_t>(rank) + (accumulate ? 100 : 0);
    for (const Config& config :
         own_configs(variant, shape.problem, device, kConfigsPerClass / 2, seed)) {
      cases.push_back({&variant, config, shape, kBothFills, device});
    }
  }
  return cases;
}

}  // namespace

Turn turn_of(const Types& types) {
  const auto index =
      static_cast<int>(std::find(kTypes.begin(), kTypes.end(), types) - kTypes.begin());
  if (index < kWhole) return {index, kWhole};
  return {index - kWhole, static_cast<int>(kTypes.size()) - kWhole};
}

bool has_own(const Types& types, std::size_t index, std::size_t count) {
  const auto [turn, of] = turn_of(types);
  if (of == kWhole) return true;
  const std::size_t parts = std::min(count, static_cast<std::size_t>(of));
  return index % parts == static_cast<std::size_t>(turn) % parts;
}

std::vector<Config> own_configs(const Variant& variant, const Problem& problem,
                                const DeviceInfo& device, int count, std::uint64_t seed) {
  const std::vector<Config> all = sample_configs(variant, {&problem, 1}, device, count, seed);
  // Those of one typical rank after those of the other, begun elsewhere where y is accumulated.
  const std::size_t first = problem.rank == kTypicalRanks[0] ? 0 : all.size();
  std::vector<Config> own;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (has_own(types_of(problem), first + i + (problem.accumulate ? 1 : 0), 2 * all.size()))
      own.push_back(all[i]);
  }
  return own;
}

std::string_view to_string(ShapeClass shape_class) {
  constexpr std::string_view kNames[] = {"boundary", "edges",    "ranks", "values",      "configs",
                                         "groups",   "adapters", "huge",  "small_device"};
  return kNames[static_cast<unsigned>(shape_class)];
}

namespace {

// The options that choose the case's problem.
std::string problem_words(const Case& shape) {
  const AdapterArguments& weights = shape.weights;
  if (weights.path.empty()) return " --problem " + to_string(shape.problem);
  std::string words = " --adapter '" + weights.path + "' --module '" + weights.module +
                      "' --tokens " + std::to_string(shape.problem.m) + " --dtypes " +
                      to_string(types_of(shape.problem));
  if (!shape.problem.accumulate) words += " --set";
  if (!weights.format.empty()) words += " --format " + weights.format;
  if (weights.alpha) words += " --alpha " + std::to_string(*weights.alpha);
  return words + (weights.lenient ? " --lenient" : "");
}

}  // namespace

std::string reproduce_line(const MatrixCase& matrix_case) {
  const Case& shape = matrix_case.shape;
  std::string line = "lora-bench --check --variants " + std::string(matrix_case.variant->name) +
                     problem_words(shape) + " --config \"" +
                     to_string(matrix_case.variant->space, matrix_case.config) + "\"";
  if (shape.off_x != 0 || shape.pad_x != 0 || shape.off_y != 0 || shape.pad_y != 0 || shape.apart) {
    line += " --strides " + std::to_string(shape.off_x) + "," + std::to_string(shape.pad_x) + "," +
            std::to_string(shape.off_y) + "," + std::to_string(shape.pad_y);
    if (shape.apart) line += ",apart";
  }
  return line;
}

std::span<const Types> matrix_types() { return kTypes; }

std::vector<MatrixCase> matrix_cases(const Variant& variant, const DeviceInfo& device,
                                     ShapeClass shape_class, const Types& types, bool accumulate,
                                     bool full) {
  constexpr int kSmallDeviceRanks[] = {8, 64, 256};
  const std::optional<std::vector<MatrixCase>> whole =
      shape_class == ShapeClass::edges     ? edge_cases(variant, device, types, accumulate)
      : shape_class == ShapeClass::configs ? config_cases(variant, device, types, accumulate)
      : shape_class == ShapeClass::groups  ? group_cases(variant, device, types, accumulate, full)
      : shape_class == ShapeClass::adapters
          ? adapter_cases(variant, device, types, accumulate, full)
          : std::optional<std::vector<MatrixCase>>();
  if (whole) return *whole;
  std::vector<Case> shapes;
  std::vector<Fill> fills = kBothFills;
  DeviceInfo planned_for = device;
  switch (shape_class) {
    case ShapeClass::boundary:
      shapes = boundary_shapes(variant, device, types, accumulate, full);
      break;
    case ShapeClass::ranks:
      shapes = rank_shapes(types, accumulate, full);
      break;
    case ShapeClass::values:
      shapes = {make_shape(types, accumulate, kFew[0], kFew[1], kFew[2], 8, kStrides[3]),
                make_shape(types, accumulate, 21, 257, 129, 25)};
      fills = {Fill::nan_row, Fill::overflow};
      break;
    case ShapeClass::huge:
      shapes = huge_shapes(types, accumulate);
      break;
    case ShapeClass::small_device:
      planned_for.max_work_group_size = std::min<std::int64_t>(device.max_work_group_size, 64);
      planned_for.local_mem_bytes = std::min<std::int64_t>(device.local_mem_bytes, 16 * 1024);
      for (std::size_t i = 0; i < std::size(kSmallDeviceRanks); ++i) {
        if (has_own(types, i, std::size(kSmallDeviceRanks)))
          shapes.push_back(make_shape(types, accumulate, 37, 563, 301, kSmallDeviceRanks[i]));
      }
      break;
    case ShapeClass::edges:
    case ShapeClass::configs:
    case ShapeClass::adapters:
    case ShapeClass::groups:
      break;
  }
  std::vector<MatrixCase> cases;
  for (const Case& shape : shapes) {
    if (auto made = default_case(variant, planned_for, shape, fills)) cases.push_back(*made);
  }
  return cases;
}

CheckResult run_case(Engine& engine, const MatrixCase& matrix_case) {
  const Variant& variant = *matrix_case.variant;
  const Problem& p = matrix_case.shape.problem;
  // In double: rows, pitch and offset may be such that their product is beyond 64 bits.
  const auto largest = [&](std::int64_t cols, std::int64_t off, std::int64_t pad) {
    return (static_cast<double>(p.m) * static_cast<double>(cols + pad) +
            static_cast<double>(off + 2 * kGuardElements)) *
           element_bytes(p.dtype);
  };
  const double bytes = std::max(largest(p.k, matrix_case.shape.off_x, matrix_case.shape.pad_x),
                                largest(p.n, matrix_case.shape.off_y, matrix_case.shape.pad_y));
  if (bytes > static_cast<double>(engine.info().max_alloc_bytes)) {
    char needed[32];
    std::snprintf(needed, sizeof needed, "%.0f", bytes);
    return {Outcome::skipped, 0,
            "needs a buffer of " + std::string(needed) + " bytes, the device allows " +
                std::to_string(engine.info().max_alloc_bytes)};
  }
  const std::string too_large = too_large_reason(p, engine.info(), memory_bytes());
  if (!too_large.empty()) return {Outcome::skipped, 0, too_large};
  const Built built = engine.build(p, variant.plan(p, matrix_case.config, matrix_case.device));
  if (built.outcome != Outcome::correct) return {built.outcome, 0, built.detail};
  CheckResult worst;
  for (const Fill fill : matrix_case.fills) {
    Case filled = matrix_case.shape;
    filled.fill = fill;
    try {
      Checker checker(engine, filled);
      CheckResult result = checker.check(*built.executable);
      if (result.outcome != Outcome::correct) return result;
      worst.error_over_bound = std::max(worst.error_over_bound, result.error_over_bound);
      if (variant.flops(p, matrix_case.config) <= kMostReferenceFlops) {
        const double error = reference_error(variant, matrix_case.config, matrix_case.device,
                                             filled, checker.data(), checker.oracle());
        if (!(error <= 1.0)) {
          return {Outcome::correctness, error,
                  "the variant's CPU reference disagrees with the oracle"};
        }
      }
    } catch (const std::bad_alloc&) {
      return {Outcome::skipped, 0, "there is too little memory for it"};
    } catch (const OpenclError& error) {
      return {Outcome::runtime, 0, error.what()};
    }
  }
  return worst;
}

}  // namespace loratune
