// What the variants' plan() functions and references share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "loratune/variants/variant.h"
#include "variants/internal/reference.h"

namespace loratune {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Whether so many work-groups are one for each compute unit, or nearly.
constexpr bool fills(std::int64_t groups, const DeviceInfo& device) {
  return 10 * groups >= 9 * device.compute_units;
}

// The smallest power of two that is at least `value`; value in [1, 2^30].
constexpr int pow2_ceil(std::int64_t value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}

// Bytes of local memory that plans may use: drivers keep a few for themselves (NVIDIA's takes 4 of
// 48 KiB from a kernel with local arrays).
constexpr std::int64_t usable_local_bytes(const DeviceInfo& device) {
  return device.local_mem_bytes - 64;
}

// A plan of `variant` for `problem` with F16, ACCUMULATE and the given macros defined.
LaunchPlan start_plan(std::string_view source, const Problem& problem,
                      std::initializer_list<std::pair<std::string_view, std::int64_t>> defines);

// The work-groups of a launch for m rows.
struct Grid {
  Grid(std::int64_t all_groups) : groups(all_groups) {}  // NOLINT: the same for every m
  // `of_a_block` groups for each block of so many rows.
  Grid(std::int64_t m, std::int64_t rows, std::int64_t of_a_block)
      : groups(ceil_div(m, rows) * of_a_block), row_groups{rows, of_a_block} {}
  std::int64_t groups;
  RowGroups row_groups;
};

// A one-dimensional launch of work-groups of `size` work-items; numbers among the arguments one by
// one. None of these may depend on m but by Role::m.
Launch make_launch(std::string_view kernel, const Grid& grid, std::int64_t size,
                   std::vector<Arg> args);
// The same with the numbers as one struct.
Launch make_struct_launch(std::string_view kernel, const Grid& grid, std::int64_t size,
                          std::vector<Arg> args);
// The same of a kernel that does the whole product: x, the weights, y and `scratch`; as the struct
// the strides, where A and B begin, the scale, m, k, n and `own`, which may end in local memory.
Launch make_fused_launch(std::string_view kernel, const Grid& grid, std::int64_t size,
                         std::initializer_list<Arg> own, std::initializer_list<Arg> scratch = {});

// The columns of y cut into blocks of whole tiles: `tiles` a block, `count` blocks. A block wider
// than y is the block of all of y, so that such configs have equal plans.
struct Blocks {
  std::int64_t tiles, count;
};
Blocks cut(const Problem& problem, int tile, int block_columns);
// Columns of a block that does not end with y.
constexpr std::int64_t block_width(int tile, int block_columns) {
  return std::int64_t{tile} * std::max(block_columns / tile, 1);
}

// Flops where every block computes h of its rows again.
double blocked_flops(const Problem& problem, const Blocks& blocks);

// y (+)= scale * value, rounded to the problem's dtype.
void store_output(const Problem& problem, const HostTensors& t, std::int64_t row,
                  std::int64_t column, float value);

// Row `row` of y from h[rank] = x A^T of that row, summing over ranks in order.
void expand_row(const Problem& problem, const HostTensors& t, std::int64_t row,
                std::span<const float> h);

// The sum of lanes[lane][0..width) over a power-of-two number of lanes, in the pairwise order of
// sum_lanes() in kernels/common.clh; the result stands in lanes[0..width).
void sum_lanes(std::span<float> values, int lanes, int width);

// `value` rounded to the storage type, as a float.
float round_to(Dtype dtype, float value);

}  // namespace loratune
