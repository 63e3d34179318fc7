// The correctness matrix: for a variant, the cases that cover every pair of boundary values, every
// rank, the edges of its own tiles, other configs, odd pitches and special values. `--check` and
// CTest run it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/check/checker.h"

namespace loratune {

// boundary: every pair of values of the axes m, k, n, rank, strides, types and accumulate.
// edges: for m, k and n one less than each tile that the variant states, the tile, and one more,
// wherever the config with these tiles is allowed.
// ranks: each of f32 and f16 up to 64, and above it each remainder by 64; of other types the same
// with 32. values: NaN and overflow. configs: other points of the search space.
// groups: modules that share x, and DoRA: every pair of values of the axes slices, m, k, rank,
// strides, how y is written, types and whether y is one buffer; and other configs. adapters: rows
// of several, of the axes adapters, m, k, slices, rank, strides, types and accumulate; and other
// configs. huge: element positions beyond 2^31. small_device: planned for work-groups of 64 and
// 16 KiB of local memory.
enum class ShapeClass : std::uint8_t {
  boundary,
  edges,
  ranks,
  values,
  configs,
  groups,
  adapters,
  huge,
  small_device
};
inline constexpr ShapeClass kShapeClasses[] = {
    ShapeClass::boundary, ShapeClass::edges,   ShapeClass::ranks,
    ShapeClass::values,   ShapeClass::configs, ShapeClass::groups,
    ShapeClass::adapters, ShapeClass::huge,    ShapeClass::small_device};
// Wider tiles are not tried: of a block of so many columns the matrix would test little else.
inline constexpr std::int64_t kWidestEdge = 8192;
std::string_view to_string(ShapeClass shape_class);

// One config on one shape; run with each of `fills`.
struct MatrixCase {
  const Variant* variant = nullptr;
  Config config;
  Case shape;  // its fill is set from `fills`
  std::vector<Fill> fills;
  DeviceInfo device;  // what was planned for: the real one, or a smaller
};

// The types that the matrix has: f32 and f16, each with cases of its own for everything; and bf16
// and all that mix two types, which share out such cases.
std::span<const Types> matrix_types();

// The lora-bench line that runs just this case.
std::string reproduce_line(const MatrixCase& matrix_case);

// The cases of a variant in one class, of one of matrix_types() and one accumulate. `full`: the
// whole product of the boundary axes instead of the covering set, and every rank. Nothing where the
// device lacks what the variant needs, or the variant the types.
std::vector<MatrixCase> matrix_cases(const Variant& variant, const DeviceInfo& device,
                                     ShapeClass shape_class, const Types& types, bool accumulate,
                                     bool full = false);

// Builds, checks with each fill, and holds the variant's CPU reference against the oracle where
// that takes at most 50 MFlop. `skipped`, with the reason, where the device cannot hold the case.
CheckResult run_case(Engine& engine, const MatrixCase& matrix_case);

}  // namespace loratune
