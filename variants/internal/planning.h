// What the variants' plan() functions and references share.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "loratune/variants/slices.h"
#include "loratune/variants/variant.h"
#include "variants/internal/elements.h"
#include "variants/internal/reference.h"

namespace loratune {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Whether so many work-groups are one for each compute unit, or nearly.
constexpr bool fills(std::int64_t groups, const DeviceInfo& device) {
  return 10 * groups >= std::int64_t{9} * device.compute_units;
}

// The smallest power of two that is at least `value`; value in [1, 2^30].
constexpr int pow2_ceil(std::int64_t value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}

inline bool is_pocl(const DeviceInfo& device) {
  return device.platform == "Portable Computing Language";
}

// Bytes of local memory that plans may use: drivers keep a few for themselves (NVIDIA's takes 4 of
// 48 KiB from a kernel with local arrays).
constexpr std::int64_t usable_local_bytes(const DeviceInfo& device) {
  return device.local_mem_bytes - 64;
}

// A plan for `problem` with the given macros defined, and those of storage.clh: F16 and ACCUMULATE,
// BF16 where x and y are that, and WEIGHT_TYPE where the weights have another type. `widened`: the
// kernel takes weights that are packed as f32, whatever they are stored as.
LaunchPlan start_plan(std::string_view source, const Problem& problem,
                      std::initializer_list<std::pair<std::string_view, std::int64_t>> defines,
                      bool widened = false);

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
// Rows that a block of a route may have.
constexpr bool is_block_of_route(std::int64_t rows) {
  return rows >= 1 && rows <= kMostRouteRows && (rows & (rows - 1)) == 0;
}

// Rows of a call that an adapter has, on average.
constexpr std::int64_t rows_of_an_adapter(const Problem& problem) {
  return problem.adapters == 0 ? problem.m : ceil_div(problem.m, problem.adapters);
}

// The columns of a module cut into blocks of whole tiles: `tiles` a block, `count` blocks. A block
// wider than the module is the block of all of it, so that such configs have equal plans.
struct Blocks {
  std::int64_t tiles, count;
};
// The blocks of a problem's slices, which stand side by side.
struct ModuleBlocks {
  std::array<Blocks, kMaxSlices> of_module{};
  std::int64_t count = 0;  // of all
};
ModuleBlocks cut(const Problem& problem, int tile, int block_columns);
// Columns of a block that does not end with y.
constexpr std::int64_t block_width(int tile, int block_columns) {
  return std::int64_t{tile} * std::max(block_columns / tile, 1);
}

// A launch of a kernel that does the whole product: x, the weights, y of each module, the route and
// the pool where rows have adapters, and `scratch`; as the struct the offset and pitch of x, the
// Modules of kernels/modules.clh, m, k, the number of all blocks of columns and `own`, which may
// end in local memory. Rows of adapters come in the blocks of the grid, or where that is the same
// for every m, in blocks of `route_rows` rows.
Launch make_module_launch(std::string_view kernel, const Problem& problem, const Grid& grid,
                          std::int64_t size, const ModuleBlocks& blocks,
                          const std::vector<Arg>& own = {}, std::initializer_list<Arg> scratch = {},
                          std::int64_t route_rows = 0);
// The same by blocks of `rows` rows and of columns.
inline Launch make_module_launch(std::string_view kernel, const Problem& problem, std::int64_t rows,
                                 std::int64_t size, const ModuleBlocks& blocks,
                                 const std::vector<Arg>& own = {}) {
  return make_module_launch(kernel, problem, Grid{problem.m, rows, blocks.count}, size, blocks,
                            own);
}
// y of each module; and the table of the modules.
void add_outputs(std::vector<Arg>& args, const Problem& problem);
void add_modules(std::vector<Arg>& args, const Problem& problem, const ModuleBlocks& blocks);

// Flops where every block computes h of its rows again.
double blocked_flops(const Problem& problem, const ModuleBlocks& blocks);

// y (+)= scale * value, rounded to the problem's dtype.
void store_output(const Problem& problem, const HostTensors& t, std::int64_t row,
                  std::int64_t column, float value);

// Row `row` of y from h[rank] = x A^T of that row, summing over ranks in order.
void expand_row(const Problem& problem, const HostTensors& t, std::int64_t row,
                std::span<const float> h);

// The sum of lanes[lane][0..width) over a power-of-two number of lanes, in the pairwise order of
// sum_lanes() in kernels/storage.clh; the result stands in lanes[0..width).
void sum_lanes(std::span<float> values, int lanes, int width);

}  // namespace loratune
