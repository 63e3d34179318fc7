// The host's kernels, compiled once for each instruction set: a Kernels is the functions of one of
// them. What they compute does not depend on how rows, lines or segments are shared out: an element
// of h is the sum of its segments in order, an element of y a sum over the ranks in order.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "loratune/variants/problem.h"
#include "variants/internal/host_layout.h"

namespace loratune::host {

// x A^T of lines of ranks is summed in so many segments of k, each of which may be another
// thread's.
inline constexpr std::int64_t kSegments = 4;

// Packed weights as the kernels read them, A as `packing_a` says and B as `packing_b`.
struct PackedView {
  const void* a = nullptr;
  const void* b = nullptr;
  std::int64_t k = 0, n = 0, rank = 0;

  // Lines of ranks and of columns; none of ranks where these are in groups.
  std::int64_t a_lines() const { return ranks_in_groups(rank) ? 0 : lines(rank); }
  std::int64_t b_lines() const { return lines(n); }
  std::int64_t groups() const {
    return ranks_in_groups(rank) ? (rank + kGroupRanks - 1) / kGroupRanks : 0;
  }
  // Columns of h: the ranks, and what fills up their last line or group.
  std::int64_t h_columns() const { return a_lines() * kLine + groups() * kGroupRanks; }

  static std::int64_t lines(std::int64_t columns) { return (columns + kLine - 1) / kLine; }
};

// Rows of f32: x, or h.
struct Rows {
  const float* at = nullptr;
  std::int64_t ld = 0, count = 0;
};

// Rows of y, of any type.
struct OutputRows {
  void* at = nullptr;
  std::int64_t ld = 0;
  Dtype dtype = Dtype::f32;
  float scale = 1;
  bool accumulate = true;
};

// The functions for weights that are packed as one type.
struct Products {
  // h = x A^T, `h` having h_columns() columns at pitch `ld_h`.
  void (*project)(const Rows& x, const PackedView& weights, float* h, std::int64_t ld_h);
  // One segment of the lines [first, last) of it; `first` begins a panel.
  void (*project_part)(const Rows& x, const PackedView& weights, std::int64_t segment,
                       std::int64_t first, std::int64_t last, float* h, std::int64_t ld_h);
  // One group of its ranks.
  void (*project_group)(const Rows& x, const PackedView& weights, std::int64_t group, float* h,
                        std::int64_t ld_h);
  // y (+)= scale * h B^T, of the lines [first, last) of columns; `first` begins a panel.
  void (*expand)(const Rows& h, const PackedView& weights, std::int64_t first, std::int64_t last,
                 const OutputRows& y);
};

struct Kernels {
  std::string_view name;  // of the instruction set
  const Products* (*products)(Dtype packed);
  // Elements of any type as f32.
  void (*widen)(Dtype dtype, const void* from, std::int64_t count, float* to);
};

// Of the best instruction set that this processor has. Any number of threads may ask at a time.
const Kernels& best_kernels();
// Of every instruction set that was compiled and that this processor has, the best first.
std::vector<const Kernels*> all_kernels();

}  // namespace loratune::host
