// The cases of problems that are more than one product of one adapter.
#include "harness/check/shapes.h"

namespace loratune {
namespace {

constexpr int kAxisConfigs = 3;  // of each of the typical ranks, besides the default's cases

// Columns of the slices; {} is one module.
using Columns = std::vector<std::int32_t>;

std::vector<Columns> group_columns(const Variant& variant, const DeviceInfo& device,
                                   const Types& types, bool accumulate) {
  const Problem typical = typical_problem(types, accumulate, kTypicalRanks[0]);
  const Tiles tiles = variant.tiles(typical, variant.default_config(typical, device));
  const auto n_tile = static_cast<std::int32_t>(widest(tiles.n, 16));
  return {{}, {5, 70}, {n_tile - 1, n_tile, n_tile + 1}, {1, 1, 2, 1, 3, 1, 1, 1}};
}

void set_columns(Problem& problem, const Columns& columns) {
  if (columns.empty()) return;
  problem.slices = {};
  problem.n = 0;
  for (const std::int32_t of_slice : columns) {
    problem.slices.columns[static_cast<unsigned>(problem.slices.count++)] = of_slice;
    problem.n += of_slice;
  }
}

}  // namespace

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
    Case made = make_shape(types, accumulate, m, k, 203, rank, strides);
    set_columns(made.problem, columns);
    made.problem.dora = dora;
    made.apart = apart && !columns.empty();
    return made;
  };
  enum Write { set, add, add_with_dora, kWrites };
  const std::vector<Excluded> other_classes = {{2, 0, 5, set}, {2, 0, 5, add}};  // plain modules
  const auto [turn, of] = turn_of(types);
  std::vector<MatrixCase> cases;
  const auto size = [](const auto& axis) { return static_cast<int>(std::size(axis)); };
  for (const auto& row : boundary_rows(
           {size(kMs), size(kKs), size(groups), size(kRanks), size(kStrides), kWrites, 2, of}, full,
           other_classes)) {
    if (row[7] != turn || (row[5] != set) != accumulate) continue;
    const Columns& columns = groups[static_cast<std::size_t>(row[2])];
    const auto made = default_case(variant, device,
                                   shape(kMs[row[0]], kKs[row[1]], columns, kRanks[row[3]],
                                         row[5] == add_with_dora, row[6] == 1, kStrides[row[4]]),
                                   kBothFills);
    if (made) cases.push_back(*made);
  }
  for (const int rank : kTypicalRanks) {
    const Case group = shape(19, 203, {301, 64, 33}, rank, accumulate, rank == 25, kStrides[3]);
    if (!variant.supports(group.problem, device)) continue;
    for (const Config& config : own_configs(variant, group.problem, device, kAxisConfigs, 1)) {
      cases.push_back({&variant, config, group, kBothFills, device});
    }
  }
  return cases;
}

// Rows of several adapters: the default config on the covering set, and other configs on two cases.
std::vector<MatrixCase> adapter_cases(const Variant& variant, const DeviceInfo& device,
                                      const Types& types, bool accumulate, bool full) {
  constexpr std::int64_t kMs[] = {0, 1, 3, 17, 65};
  constexpr std::int64_t kKs[] = {1, 67, 563};
  constexpr int kRanks[] = {1, 4, 25, 64};
  constexpr int kAdapters[] = {1, 2, 8, 33};
  const std::vector<Columns> groups = {{}, {5, 70}, {131, 1, 33}};
  const auto shape = [&](std::int64_t m, std::int64_t k, const Columns& columns, int rank,
                         int adapters, const Strides& strides) {
    Case made = make_shape(types, accumulate, m, k, 203, rank, strides);
    set_columns(made.problem, columns);
    made.problem.adapters = adapters;
    return made;
  };
  const auto [turn, of] = turn_of(types);
  std::vector<MatrixCase> cases;
  const auto size = [](const auto& axis) { return static_cast<int>(std::size(axis)); };
  for (const auto& row : boundary_rows({size(kMs), size(kKs), size(groups), size(kRanks),
                                        size(kAdapters), size(kStrides), 2, of},
                                       full)) {
    if (row[7] != turn || (row[6] == 1) != accumulate) continue;
    const auto made =
        default_case(variant, device,
                     shape(kMs[row[0]], kKs[row[1]], groups[static_cast<std::size_t>(row[2])],
                           kRanks[row[3]], kAdapters[row[4]], kStrides[row[5]]),
                     kBothFills);
    if (made) cases.push_back(*made);
  }
  for (const int rank : kTypicalRanks) {
    const Columns columns = rank == 25 ? Columns{301, 64, 33} : Columns{};
    const Case one = shape(19, 203, columns, rank, 4, kStrides[3]);
    if (!variant.supports(one.problem, device)) continue;
    for (const Config& config : own_configs(variant, one.problem, device, kAxisConfigs, 1)) {
      cases.push_back({&variant, config, one, kBothFills, device});
    }
  }
  return cases;
}

}  // namespace loratune
