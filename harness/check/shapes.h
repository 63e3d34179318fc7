// What the classes of the correctness matrix make their shapes of.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/check/covering.h"
#include "harness/check/matrix.h"

namespace loratune {

inline constexpr double kMostKernelFlops =
    2e8;  // of a case: naive would take minutes on the largest

// Row strides of a case: tensors stand at an offset with rows apart, or not.
struct Strides {
  std::int64_t off_x, pad_x, off_y, pad_y;
};
inline constexpr Strides kStrides[] = {{0, 0, 0, 0}, {5, 3, 0, 0}, {0, 0, 3, 7}, {1, 13, 9, 1}};

Case make_shape(const Types& types, bool accumulate, std::int64_t m, std::int64_t k, std::int64_t n,
                int rank, const Strides& strides = kStrides[0]);

// A case of the variant's default config, or nothing where it does not support the problem. Shapes
// that would take it too many flops lose rows, then columns.
std::optional<MatrixCase> default_case(const Variant& variant, const DeviceInfo& device, Case shape,
                                       std::vector<Fill> fills);

inline const std::vector<Fill> kBothFills = {Fill::exact, Fill::real};

// All rows of the boundary axes, or the covering set of them.
std::vector<std::vector<int>> boundary_rows(const std::vector<int>& sizes, bool full,
                                            const std::vector<Excluded>& excluded = {});

// Which of those that share cases the types are: number `turn` of `of`. f32 and f16 share the cases
// of a covering set, of which types are an axis, and so do all the others. Where types are no axis
// f32 and f16 have all cases each, and the others take turns.
struct Turn {
  int turn, of;
};
Turn turn_of(const Types& types);

// Whether the types have a case of number `index` out of `count` that differ in nothing but this.
bool has_own(const Types& types, std::size_t index, std::size_t count);

// The types' own of `count` configs for the problem, of a typical rank.
std::vector<Config> own_configs(const Variant& variant, const Problem& problem,
                                const DeviceInfo& device, int count, std::uint64_t seed);

inline constexpr int kTypicalRanks[] = {8, 25};
Problem typical_problem(const Types& types, bool accumulate, int rank);

// The widest of the tiles that still leaves the boundary axis its other values, else `otherwise`.
std::int64_t widest(const std::vector<std::int64_t>& tiles, std::int64_t otherwise);

// The cases of ShapeClass::groups, and those of ShapeClass::adapters.
std::vector<MatrixCase> group_cases(const Variant& variant, const DeviceInfo& device,
                                    const Types& types, bool accumulate, bool full);
std::vector<MatrixCase> adapter_cases(const Variant& variant, const DeviceInfo& device,
                                      const Types& types, bool accumulate, bool full);

}  // namespace loratune
