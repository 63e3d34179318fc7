// The layouts in which the host's kernels read A and B: a plan for them says so, and host/ follows.
#pragma once

#include <cstdint>

#include "loratune/variants/launch_plan.h"

namespace loratune::host {

// A line is what one cache line holds of f32: kernels take packed columns in lines.
inline constexpr std::int64_t kLine = 16;
inline constexpr std::int64_t kWidePanel = 32;
// Ranks that fill no line are taken in groups of so many, as dot products along k.
inline constexpr std::int64_t kGroupRanks = 4;

constexpr bool ranks_in_groups(std::int64_t rank) { return rank < kLine; }
// Columns of a panel, of a matrix of so many.
constexpr std::int64_t panel_columns(std::int64_t columns) {
  return columns <= kLine ? kLine : kWidePanel;
}

inline Packing packing_a(std::int64_t rank) {
  if (ranks_in_groups(rank)) return {Layout::blocked, static_cast<int>(kGroupRanks), false};
  return {Layout::panel, static_cast<int>(panel_columns(rank)), false};
}
inline Packing packing_b(std::int64_t n) {
  return {Layout::panel, static_cast<int>(panel_columns(n)), false};
}

}  // namespace loratune::host
