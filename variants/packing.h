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

// `elements` up to the next multiple of 128 bytes.
inline std::int64_t whole_lines(std::int64_t elements, Dtype dtype) {
  const std::int64_t line = 128 / element_bytes(dtype);
  return (elements + line - 1) / line * line;
}

// The packed A of a group's slices stand one behind the other, and so do the B. Elements of those
// before slice i in [0, slice_count].
inline std::int64_t packed_a_before(const Packing& a, const Problem& problem, int i) {
  return i * packed_size(a, problem.rank, problem.k);
}
inline std::int64_t packed_b_before(const Packing& b, const Problem& problem, int i) {
  std::int64_t elements = 0;
  for (int before = 0; before < i; ++before) {
    elements += packed_size(b, slice_columns(problem, before), problem.rank);
  }
  return elements;
}

// With DoRA the factors of the columns, floats, stand behind all B, and those of a slice behind
// those of the slice before it, each at a multiple of 128 bytes. Where the factors of slice i
// begin, in elements of the packed B; those of slice_count end there.
inline std::int64_t gains_before(const Packing& b, const Problem& problem, int i) {
  const Dtype dtype = packed_dtype(b, weights_dtype(problem));
  std::int64_t elements = whole_lines(packed_b_before(b, problem, slice_count(problem)), dtype);
  for (int before = 0; before < i; ++before) {
    elements += whole_lines(slice_columns(problem, before), Dtype::f32) * 4 / element_bytes(dtype);
  }
  return elements;
}

// Elements of all A and of all B, with the factors of DoRA.
inline std::int64_t packed_a_size(const Packing& a, const Problem& problem) {
  return packed_a_before(a, problem, slice_count(problem));
}
inline std::int64_t packed_b_size(const Packing& b, const Problem& problem) {
  const int count = slice_count(problem);
  return problem.dora ? gains_before(b, problem, count) : packed_b_before(b, problem, count);
}

// The value of the argument off_b, in elements: where B begins behind a packed A in one buffer, at
// a multiple of 128 bytes. Both have elements of A's packed type.
inline std::int64_t joined_off_b(const Packing& a, const Problem& problem) {
  return whole_lines(packed_a_size(a, problem), packed_dtype(a, weights_dtype(problem)));
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
