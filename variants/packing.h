// Where a weight matrix's elements stand in the layout that a plan asks for, and the host code that
// puts them there. Packing is done once per adapter, never per call.
#pragma once

#include <cstdint>
#include <vector>

#include "variants/launch_plan.h"

namespace loratune {

// Elements that a rows x cols matrix takes when packed, padding included.
inline std::int64_t packed_size(const Packing& packing, std::int64_t rows, std::int64_t cols) {
  const auto whole_tiles = [&](std::int64_t extent) {
    return (extent + packing.tile - 1) / packing.tile * packing.tile;
  };
  switch (packing.layout) {
    case Layout::row_major:
      return rows * whole_tiles(cols);
    case Layout::transposed:
      return rows * cols;
    case Layout::panel:
      break;
  }
  return whole_tiles(rows) * cols;
}

// The value of the argument ld_a or ld_b, in elements.
inline std::int64_t packed_ld(const Packing& packing, std::int64_t rows, std::int64_t cols) {
  if (packing.layout == Layout::transposed) return rows;
  if (packing.layout == Layout::panel) return cols;
  return (cols + packing.tile - 1) / packing.tile * packing.tile;
}

inline std::int64_t packed_index(const Packing& packing, std::int64_t rows, std::int64_t cols,
                                 std::int64_t i, std::int64_t j) {
  switch (packing.layout) {
    case Layout::row_major:
      return i * packed_ld(packing, rows, cols) + j;
    case Layout::transposed:
      return j * rows + i;
    case Layout::panel:
      break;
  }
  return (i / packing.tile * cols + j) * packing.tile + i % packing.tile;
}

// The packed form of a dense row-major matrix of any element type whose zero is all zero bits.
template <class T>
std::vector<T> pack(const Packing& packing, std::int64_t rows, std::int64_t cols, const T* source) {
  std::vector<T> packed(static_cast<std::size_t>(packed_size(packing, rows, cols)));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      packed[static_cast<std::size_t>(packed_index(packing, rows, cols, i, j))] =
          source[i * cols + j];
    }
  }
  return packed;
}

}  // namespace loratune
