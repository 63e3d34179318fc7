#include "harness/check/shapes.h"

#include <algorithm>
#include <utility>

namespace loratune {

Case make_shape(const Types& types, bool accumulate, std::int64_t m, std::int64_t k, std::int64_t n,
                int rank, const Strides& strides) {
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

std::vector<std::vector<int>> boundary_rows(const std::vector<int>& sizes, bool full,
                                            const std::vector<Excluded>& excluded) {
  if (!full) return covering_set(sizes, excluded);
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
  std::erase_if(rows, [&](const std::vector<int>& row) {
    return std::any_of(excluded.begin(), excluded.end(), [&](const Excluded& pair) {
      return row[pair.axis] == pair.value && row[pair.other_axis] == pair.other;
    });
  });
  return rows;
}

Problem typical_problem(const Types& types, bool accumulate, int rank) {
  return make_shape(types, accumulate, 17, 512, 512, rank).problem;
}

std::int64_t widest(const std::vector<std::int64_t>& tiles, std::int64_t otherwise) {
  constexpr std::int64_t kMost = 512;
  std::int64_t widest = 0;
  for (const std::int64_t tile : tiles) {
    if (tile <= kMost) widest = std::max(widest, tile);
  }
  return widest >= 2 ? widest : otherwise;
}

}  // namespace loratune
