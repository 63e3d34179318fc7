#include "variants/internal/planning.h"

namespace loratune {

LaunchPlan start_plan(std::string_view source, const Problem& problem,
                      std::initializer_list<std::pair<std::string_view, std::int64_t>> defines,
                      bool widened) {
  LaunchPlan plan;
  plan.source = source;
  plan.made_for.problem = problem;
  for (const auto& [name, value] : defines) plan.defines.emplace_back(name, value);
  plan.defines.emplace_back("F16", problem.dtype == Dtype::f16 ? 1 : 0);
  if (problem.dtype == Dtype::bf16) plan.defines.emplace_back("BF16", 1);
  if (!widened && weights_dtype(problem) != problem.dtype) {
    plan.defines.emplace_back("WEIGHT_TYPE", static_cast<int>(weights_dtype(problem)));
  }
  plan.defines.emplace_back("ACCUMULATE", problem.accumulate ? 1 : 0);
  if (slice_count(problem) > 1) plan.defines.emplace_back("MODULES", slice_count(problem));
  if (problem.adapters > 0) plan.defines.emplace_back("ADAPTERS", 1);
  if (problem.dora) plan.defines.emplace_back("DORA", 1);
  std::sort(plan.defines.begin(), plan.defines.end());
  plan.flags = {"-cl-std=CL1.2", "-cl-mad-enable"};
  return plan;
}

Launch make_launch(std::string_view kernel, const Grid& grid, std::int64_t size,
                   std::vector<Arg> args) {
  Launch launch;
  launch.kernel = kernel;
  launch.global[0] = static_cast<std::uint64_t>(grid.groups * size);
  launch.local[0] = static_cast<std::uint64_t>(size);
  launch.args = std::move(args);
  launch.row_groups = grid.row_groups;
  return launch;
}

Launch make_struct_launch(std::string_view kernel, const Grid& grid, std::int64_t size,
                          std::vector<Arg> args) {
  Launch launch = make_launch(kernel, grid, size, std::move(args));
  launch.one_struct = true;
  return launch;
}

ModuleBlocks cut(const Problem& problem, int tile, int block_columns) {
  ModuleBlocks blocks;
  for (int i = 0; i < slice_count(problem); ++i) {
    const std::int64_t tiles = ceil_div(slice_columns(problem, i), tile);
    const std::int64_t per_block = std::min<std::int64_t>(tiles, std::max(block_columns / tile, 1));
    blocks.of_module[static_cast<unsigned>(i)] = {per_block, ceil_div(tiles, per_block)};
    blocks.count += ceil_div(tiles, per_block);
  }
  return blocks;
}

void add_outputs(std::vector<Arg>& args, const Problem& problem) {
  for (int i = 0; i < slice_count(problem); ++i) args.push_back({Role::y, i});
}

void add_modules(std::vector<Arg>& args, const Problem& problem, const ModuleBlocks& blocks) {
  for (int i = 0; i < slice_count(problem); ++i) {
    const Blocks& own = blocks.of_module[static_cast<unsigned>(i)];
    args.insert(args.end(),
                {{Role::off_a, i}, {Role::off_b, i}, {Role::off_y, i}, {Role::ld_y, i}});
    if (problem.dora) args.push_back({Role::off_g, i});
    args.insert(args.end(),
                {{Role::scale, i}, {Role::n, i}, {Role::i32, own.count}, {Role::i32, own.tiles}});
  }
}

Launch make_module_launch(std::string_view kernel, const Problem& problem, const Grid& grid,
                          std::int64_t size, const ModuleBlocks& blocks,
                          const std::vector<Arg>& own, std::initializer_list<Arg> scratch,
                          std::int64_t route_rows) {
  if (route_rows == 0) route_rows = grid.row_groups.rows;
  std::vector<Arg> args = {{Role::x}, {Role::weights}};
  add_outputs(args, problem);
  if (problem.adapters > 0) args.insert(args.end(), {{Role::route}, {Role::slots}});
  args.insert(args.end(), scratch);
  args.insert(args.end(), {{Role::off_x}, {Role::ld_x}});
  if (problem.adapters > 0) args.insert(args.end(), {{Role::ld_slot}, {Role::blocks, route_rows}});
  add_modules(args, problem, blocks);
  args.insert(args.end(), {{Role::m}, {Role::k}, {Role::i32, blocks.count}});
  args.insert(args.end(), own.begin(), own.end());
  return make_struct_launch(kernel, grid, size, std::move(args));
}

double blocked_flops(const Problem& p, const ModuleBlocks& blocks) {
  return 2.0 * static_cast<double>(p.m) * p.rank *
         (static_cast<double>(p.k) * static_cast<double>(blocks.count) + static_cast<double>(p.n));
}

void store_output(const Problem& problem, const HostTensors& t, std::int64_t row,
                  std::int64_t column, float value) {
  float& y = t.y[row * problem.n + column];
  const float sum = problem.accumulate ? y + t.scale * value : t.scale * value;
  y = round_to(problem.dtype, problem.dora ? t.g[column] * sum : sum);
}

void expand_row(const Problem& problem, const HostTensors& t, std::int64_t row,
                std::span<const float> h) {
  for (std::int64_t column = 0; column < problem.n; ++column) {
    float sum = 0.0F;
    for (std::size_t j = 0; j < h.size(); ++j) {
      sum += h[j] * t.b[column * problem.rank + static_cast<std::int64_t>(j)];
    }
    store_output(problem, t, row, column, sum);
  }
}

void sum_lanes(std::span<float> values, int lanes, int width) {
  for (auto half = static_cast<std::size_t>(lanes) / 2; half > 0; half /= 2) {
    const std::size_t count = half * static_cast<std::size_t>(width);
    for (std::size_t i = 0; i < count; ++i) values[i] += values[i + count];
  }
}

}  // namespace loratune
