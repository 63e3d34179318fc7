// long because: the classes of cases share what makes a shape, and each is a few lines of one list.
#include "harness/check/matrix.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <set>

#include "harness/base/problem_size.h"
#include "harness/check/covering.h"
#include "tuner/candidates.h"

namespace loratune {
namespace {

constexpr double kMostKernelFlops = 2e8;  // of a case: naive would take minutes on the largest
constexpr double kMostReferenceFlops = 5e7;
constexpr int kConfigsPerClass = 12;  // of each pair of types and accumulate

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
constexpr int kWhole = 2;  // of them have all cases; the others take turns

// Which of those that share out cases the types are: number `turn` of `of`.
struct Turn {
  int turn, of;
};
Turn turn_of(const Types& types) {
  const auto index =
      static_cast<int>(std::find(kTypes.begin(), kTypes.end(), types) - kTypes.begin());
  if (index < kWhole) return {index, kWhole};
  return {index - kWhole, static_cast<int>(kTypes.size()) - kWhole};
}

// The types' part of cases that are the same for each of them, in an order: one at least.
template <class T>
void keep_own_part(std::vector<T>& cases, const Types& types) {
  const auto [turn, of] = turn_of(types);
  if (of == kWhole || cases.empty()) return;
  const std::size_t parts = std::min(cases.size(), static_cast<std::size_t>(of));
  std::size_t index = 0;
  std::erase_if(cases, [&, own = static_cast<std::size_t>(turn) % parts](const T&) {
    return index++ % parts != own;
  });
}

// Row strides of a case: tensors stand at an offset with rows apart, or not.
struct Strides {
  std::int64_t off_x, pad_x, off_y, pad_y;
};
constexpr Strides kStrides[] = {{0, 0, 0, 0}, {5, 3, 0, 0}, {0, 0, 3, 7}, {1, 13, 9, 1}};

Case make_shape(const Types& types, bool accumulate, std::int64_t m, std::int64_t k, std::int64_t n,
                int rank, const Strides& strides = kStrides[0]) {
  Case shape;
  set_types(shape.problem, types);
  shape.problem.accumulate = accumulate;
  shape.problem.m = m;
  shape.problem.k = k;
  shape.problem.n = n;
  shape.problem.rank = rank;
  shape.off_x = strides.off_x;
  shape.pad_x = strides.pad_x;
  shape.off_y = strides.off_y;
  shape.pad_y = strides.pad_y;
  shape.seed = static_cast<std::uint64_t>(m * 1000003 + k * 10007 + n * 101 + rank);
  return shape;
}

// A case of the variant's default config, or nothing where it does not support the problem. Shapes
// that would take it too many flops lose rows, then columns.
std::optional<MatrixCase> default_case(const Variant& variant, const DeviceInfo& device, Case shape,
                                       std::vector<Fill> fills) {
  Problem& p = shape.problem;
  if (!variant.supports(p, device)) return std::nullopt;
  Config config = variant.default_config(p, device);
  while (variant.flops(p, config) > kMostKernelFlops &&
         (p.m > 2 || (p.n > 64 && p.slices.count == 0))) {
    if (p.m > 2) {
      p.m = (p.m + 1) / 2;
    } else {
      p.n = (p.n + 1) / 2;
    }
    config = variant.default_config(p, device);
  }
  return MatrixCase{&variant, config, shape, std::move(fills), device};
}

const std::vector<Fill> kBothFills = {Fill::exact, Fill::real};

// All rows of the boundary axes, or the covering set of them.
std::vector<std::vector<int>> boundary_rows(const std::vector<int>& sizes, bool full) {
  if (!full) return covering_set(sizes);
  std::vector<std::vector<int>> rows = {{}};
  for (const int size : sizes) {
    std::vector<std::vector<int>> longer;
    for (const auto& row : rows) {
      for (int value = 0; value < size; ++value) {
        longer.push_back(row);
        longer.back().push_back(value);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

constexpr int kTypicalRanks[] = {8, 25};

Problem typical_problem(const Types& types, bool accumulate, int rank) {
  return make_shape(types, accumulate, 17, 512, 512, rank).problem;
}

// The widest of the tiles that still leaves the boundary axis its other values, else `otherwise`.
std::int64_t widest(const std::vector<std::int64_t>& tiles, std::int64_t otherwise) {
  constexpr std::int64_t kMost = 512;
  std::int64_t widest = 0;
  for (const std::int64_t tile : tiles) {
    if (tile <= kMost) widest = std::max(widest, tile);
  }
  return widest >= 2 ? widest : otherwise;
}

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

// Each rank of 1..256 in one of the combinations of types and accumulate, and a rank that only the
// general variants take.
std::vector<Case> rank_shapes(const Types& types, bool accumulate) {
  std::vector<Case> shapes;
  const auto [turn, of] = turn_of(types);
  const int combinations = 2 * of;
  const int own = turn + (accumulate ? of : 0);
  for (int rank = 1; rank <= 256; ++rank) {
    if ((rank + rank / combinations) % combinations == own)
      shapes.push_back(make_shape(types, accumulate, 3, 67, 35, rank));
  }
  const int large[] = {257, 300, 513, 1024};
  shapes.push_back(make_shape(types, accumulate, 2, 67, 35, large[own % 4]));
  return shapes;
}

// Rows so far apart that element positions pass 2^31.
std::vector<Case> huge_shapes(const Types& types, bool accumulate) {
  constexpr std::int64_t kApart = (std::int64_t{1} << 30) + 7;
  std::vector<Case> shapes;
  shapes.push_back(make_shape(types, accumulate, 3, 67, 35, 4, {0, kApart, 0, 0}));
  shapes.push_back(make_shape(types, accumulate, 3, 67, 35, 4, {0, 0, 0, kApart}));
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

// The config stays the one whose tiles are tried. The other two extents are small, or, where the
// config is not allowed on such a shape, those of the problem that the config is for.
std::vector<MatrixCase> edge_cases(const Variant& variant, const DeviceInfo& device,
                                   const Types& types, bool accumulate) {
  constexpr int kConfigs = 3;  // of each rank: the default, a neighbour of it, and any other
  constexpr std::int64_t kSmall[] = {5, 67, 35};
  std::vector<MatrixCase> cases;
  for (const int rank : kTypicalRanks) {
    const Problem typical = typical_problem(types, accumulate, rank);
    for (const Config& config : sample_configs(variant, {&typical, 1}, device, kConfigs, 1)) {
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
         sample_configs(variant, {&shape.problem, 1}, device, kConfigsPerClass / 2, seed)) {
      cases.push_back({&variant, config, shape, kBothFills, device});
    }
  }
  return cases;
}

// Columns of the slices; {} is one module.
using Columns = std::vector<std::int32_t>;

std::vector<Columns> group_columns(const Variant& variant, const DeviceInfo& device,
                                   const Types& types, bool accumulate) {
  const Problem typical = typical_problem(types, accumulate, kTypicalRanks[0]);
  const Tiles tiles = variant.tiles(typical, variant.default_config(typical, device));
  const auto n_tile = static_cast<std::int32_t>(widest(tiles.n, 16));
  return {{}, {5, 70}, {n_tile - 1, n_tile, n_tile + 1}, {1, 1, 2, 1, 3, 1, 1, 1}};
}

// The default config on the covering set, and other configs on one group with DoRA where there may
// be.
std::vector<MatrixCase> group_cases(const Variant& variant, const DeviceInfo& device,
                                    const Types& types, bool accumulate, bool full) {
  const std::vector<Columns> groups = group_columns(variant, device, types, accumulate);
  constexpr std::int64_t kMs[] = {0, 1, 3, 17};
  constexpr std::int64_t kKs[] = {1, 67, 563};
  constexpr int kRanks[] = {1, 4, 25, 64};
  const auto shape = [&](std::int64_t m, std::int64_t k, const Columns& columns, int rank,
                         bool dora, bool apart, const Strides& strides) {
    Slices slices;
    std::int64_t n = 203;
    if (!columns.empty()) {
      n = 0;
      for (const std::int32_t of_slice : columns) {
        slices.columns[static_cast<unsigned>(slices.count++)] = of_slice;
        n += of_slice;
      }
    }
    Case made = make_shape(types, accumulate, m, k, n, rank, strides);
    made.problem.slices = slices;
    made.problem.dora = dora;
    made.apart = apart && !columns.empty();
    return made;
  };
  std::vector<MatrixCase> cases;
  const auto size = [](const auto& axis) { return static_cast<int>(std::size(axis)); };
  for (const auto& row : boundary_rows(
           {size(kMs), size(kKs), size(groups), size(kRanks), size(kStrides), 2, 2}, full)) {
    const Columns& columns = groups[static_cast<std::size_t>(row[2])];
    const bool dora = accumulate && row[5] == 1;
    if (columns.empty() && !dora) continue;  // the other classes' cases
    const auto made = default_case(variant, device,
                                   shape(kMs[row[0]], kKs[row[1]], columns, kRanks[row[3]], dora,
                                         row[6] == 1, kStrides[row[4]]),
                                   kBothFills);
    if (made) cases.push_back(*made);
  }
  for (const int rank : kTypicalRanks) {
    const Case group = shape(19, 203, {301, 64, 33}, rank, accumulate, rank == 25, kStrides[3]);
    if (!variant.supports(group.problem, device)) continue;
    for (const Config& config : sample_configs(variant, {&group.problem, 1}, device, 3, 1)) {
      cases.push_back({&variant, config, group, kBothFills, device});
    }
  }
  return cases;
}

}  // namespace

std::string_view to_string(ShapeClass shape_class) {
  constexpr std::string_view kNames[] = {"boundary", "edges",  "ranks", "values",
                                         "configs",  "groups", "huge",  "small_device"};
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
  if (shape_class == ShapeClass::edges || shape_class == ShapeClass::configs ||
      shape_class == ShapeClass::groups) {
    std::vector<MatrixCase> cases =
        shape_class == ShapeClass::edges    ? edge_cases(variant, device, types, accumulate)
        : shape_class == ShapeClass::groups ? group_cases(variant, device, types, accumulate, full)
                                            : config_cases(variant, device, types, accumulate);
    keep_own_part(cases, types);
    return cases;
  }
  std::vector<Case> shapes;
  std::vector<Fill> fills = kBothFills;
  DeviceInfo planned_for = device;
  switch (shape_class) {
    case ShapeClass::boundary:
      shapes = boundary_shapes(variant, device, types, accumulate, full);
      break;
    case ShapeClass::ranks:
      shapes = rank_shapes(types, accumulate);
      break;
    case ShapeClass::values:
      shapes = {make_shape(types, accumulate, 5, 131, 67, 8, kStrides[3]),
                make_shape(types, accumulate, 21, 257, 129, 25)};
      fills = {Fill::nan_row, Fill::overflow};
      break;
    case ShapeClass::huge:
      shapes = huge_shapes(types, accumulate);
      keep_own_part(shapes, types);
      break;
    case ShapeClass::small_device:
      planned_for.max_work_group_size = std::min<std::int64_t>(device.max_work_group_size, 64);
      planned_for.local_mem_bytes = std::min<std::int64_t>(device.local_mem_bytes, 16 * 1024);
      for (const int rank : {8, 64, 256}) {
        shapes.push_back(make_shape(types, accumulate, 37, 563, 301, rank));
      }
      keep_own_part(shapes, types);
      break;
    case ShapeClass::edges:
    case ShapeClass::configs:
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
  const auto largest = [&](std::int64_t cols, std::int64_t off, std::int64_t pad) {
    return (p.m * (cols + pad) + off) * element_bytes(p.dtype);
  };
  const std::int64_t bytes =
      std::max(largest(p.k, matrix_case.shape.off_x, matrix_case.shape.pad_x),
               largest(p.n, matrix_case.shape.off_y, matrix_case.shape.pad_y));
  if (bytes > engine.info().max_alloc_bytes) {
    return {Outcome::skipped, 0,
            "needs a buffer of " + std::to_string(bytes) + " bytes, the device allows " +
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
