// Where a weight matrix's elements stand in the layout that a plan asks for, and the host code that
// puts them there. Packing is done once per adapter, never per call.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"

namespace loratune {

// What the packed elements of a matrix of this type are.
inline Dtype packed_dtype(const Packing& packing, Dtype dtype) {
  return packing.as_f32 ? Dtype::f32 : dtype;
}

// `cols` rounded up to whole blocks of Layout::blocked.
inline std::int64_t whole_blocks(std::int64_t cols) {
  return (cols + kLayoutBlock - 1) / kLayoutBlock * kLayoutBlock;
}

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
      return whole_tiles(rows) * cols;
    case Layout::blocked:
      break;
  }
  return whole_tiles(rows) * whole_blocks(cols);
}

// The value of the argument ld_a or ld_b, in elements.
inline std::int64_t packed_ld(const Packing& packing, std::int64_t rows, std::int64_t cols) {
  if (packing.layout == Layout::transposed) return rows;
  if (packing.layout == Layout::panel) return cols;
  if (packing.layout == Layout::blocked) return whole_blocks(cols);
  return (cols + packing.tile - 1) / packing.tile * packing.tile;
}

// The value of the argument off_b, in elements: where B begins behind a packed A of rank x k in one
// buffer, at a multiple of 128 bytes. Both have elements of A's packed type.
inline std::int64_t joined_off_b(const Packing& a, const Problem& problem) {
  const std::int64_t whole = 128 / element_bytes(packed_dtype(a, weights_dtype(problem)));
  return (packed_size(a, problem.rank, problem.k) + whole - 1) / whole * whole;
}

inline std::int64_t packed_index(const Packing& packing, std::int64_t rows, std::int64_t cols,
                                 std::int64_t i, std::int64_t j) {
  switch (packing.layout) {
    case Layout::row_major:
      return i * packed_ld(packing, rows, cols) + j;
    case Layout::transposed:
      return j * rows + i;
    case Layout::panel:
      return (i / packing.tile * cols + j) * packing.tile + i % packing.tile;
    case Layout::blocked:
      break;
  }
  const std::int64_t block =
      i / packing.tile * (whole_blocks(cols) / kLayoutBlock) + j / kLayoutBlock;
  return (block * packing.tile + i % packing.tile) * kLayoutBlock + j % kLayoutBlock;
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
