// What the variants on NVIDIA's tensor cores share.
#pragma once

#include <vector>

#include "variants/internal/planning.h"

namespace loratune {

inline constexpr std::string_view kNeedsTensorCores =
    "the tensor cores of an NVIDIA GPU from capability 8.0 on";

// Whether the kernels multiply x, A and B as they are, elements of one type of two bytes. Elements
// of other types, or of two types, they multiply as tf32.
constexpr bool tensor_halves(const Problem& problem) {
  return element_bytes(problem.dtype) == 2 && weights_dtype(problem) == problem.dtype;
}

// Elements of a row of x or A that a lane of shrink loads at once, and a warp.
constexpr int tensor_unit(const Problem& problem) { return tensor_halves(problem) ? 8 : 4; }
constexpr std::int64_t tensor_piece(const Problem& problem) { return 4 * tensor_unit(problem); }

// Words of 32 bits that two elements take in a work-item's registers: of x and y, and of the share
// of B in expand.
constexpr int tensor_data_words(const Problem& problem) { return element_bytes(problem.dtype) / 2; }
constexpr int tensor_b_words(const Problem& problem) { return tensor_halves(problem) ? 1 : 2; }

// Registers of shrink for `rows` and `ranks` tiles, roughly: for each piece on the way, and, where
// elements are widened or split, for those of the piece that is multiplied.
constexpr std::int64_t tensor_shrink_registers(const Problem& problem, int rows, int ranks,
                                               int pieces) {
  const int unit = tensor_unit(problem);
  const std::int64_t loads = rows * 2 * unit * element_bytes(problem.dtype) / 4 +
                             ranks * unit * element_bytes(weights_dtype(problem)) / 4;
  const std::int64_t operands = tensor_halves(problem) ? 0 : rows * 8 + ranks * 4;
  return std::int64_t{rows} * ranks * 4 + pieces * loads + operands;
}

// Ranks that a lane of expand takes at once; four lanes take a chunk.
constexpr int ranks_a_lane(int rank) { return rank <= 8 ? 2 : 4; }

// Words of local memory that a lane's share of h takes: the sum of two halves each, of three bf16,
// or of two tf32.
constexpr int tensor_share_words(const Problem& problem) {
  const int ranks = ranks_a_lane(problem.rank);
  if (!tensor_halves(problem)) return 2 * ranks;
  return problem.dtype == Dtype::f16 ? ranks : 3 * ranks / 2;
}

// Ranks that a module has in h: of several each has whole tiles of 8.
constexpr int tensor_ranks(const Problem& problem) {
  return slice_count(problem) == 1 ? problem.rank : static_cast<int>(ceil_div(problem.rank, 8) * 8);
}

// A's rows are of whole loads of 16 bytes.
constexpr Packing tensor_a(const Problem& problem) {
  return {Layout::row_major, 16 / element_bytes(weights_dtype(problem))};
}

// Takes the next value of the config's parameter, up to `most`, as long as `wanted` says so of the
// config with it.
template <typename Wanted>
void widen_while(Config& config, const Parameter& parameter, int place, int most, Wanted wanted) {
  for (const std::int32_t value : parameter.values) {
    const std::int32_t before = config[place];
    if (value <= before || value > most) continue;
    config[place] = value;
    if (!wanted()) {
      config[place] = before;
      return;
    }
  }
}

// Of a warp's pieces of shrink so many are neighbours: two, which are 128 bytes, where the group
// reads more of A, which comes from L2 in lines of so many, than of x, and each of `k_warps` warps
// gets two of the `pieces`.
constexpr int tensor_run(int rows, int ranks, int warp_pieces, int k_warps, std::int64_t pieces) {
  return ranks > rows && warp_pieces >= 2 && pieces >= 2 * k_warps ? 2 : 1;
}

// Bytes of local memory through which the warps of a group add up tiles of shrink, a few at a time.
constexpr std::int64_t tensor_sums_bytes(int warps, int rank_tiles) {
  return std::int64_t{512} * warps * std::min(rank_tiles, 4);
}

// Whether the device has the instructions, and the sums keep their bound: that of fewer products
// than 16 is one that tf32 products for those of f32 do not keep. The kernels round k up to 16
// bytes in an int.
inline bool tensor_tiles_suit(const Problem& problem, const DeviceInfo& device) {
  constexpr int kCapability = 80;  // mma with tf32, and of two bytes in tiles of 16 x 8 x 16
  constexpr std::int64_t kLongest = kMaxExtent - 8;
  constexpr int kLeastF32K = 16;
  return device.nv_compute_capability >= kCapability && problem.k <= kLongest &&
         (tensor_halves(problem) || problem.k >= kLeastF32K);
}

// Whether the smallest groups of the kernels, of eight warps, fit on the device.
inline bool tensor_groups_fit(const DeviceInfo& device) {
  return device.max_work_group_size >= 256 && device.local_mem_bytes >= 48 * 1024;
}

// Extents of k at which shrink's loads and loops end: pieces, the units of 16 bytes that they have,
// the pieces that all warps take at once, those that they have on the way, and the same of each of
// `slices`.
inline std::vector<std::int64_t> tensor_k_tiles(const Problem& problem, int warp_pieces,
                                                int k_warps, int slices) {
  const std::int64_t piece = tensor_piece(problem);
  const std::int64_t step = piece * k_warps;
  return {piece, piece + piece / 4,  2 * piece,
          step,  step * warp_pieces, step * warp_pieces * slices};
}

// The product as the kernels sum it: k in slices of `slice_pieces` pieces, of whose pieces
// `k_warps` warps take turns, `run` at a time. The order within one step of a piece is the
// hardware's own: here it is from left to right.
inline void tensor_reference(const Problem& problem, std::int64_t slice_pieces, int k_warps,
                             int run, const HostTensors& t) {
  const std::int64_t piece = tensor_piece(problem);
  std::vector<float> sums(static_cast<std::size_t>(k_warps));
  std::vector<float> h(static_cast<std::size_t>(problem.rank));
  for (std::int64_t row = 0; row < problem.m; ++row) {
    for (int j = 0; j < problem.rank; ++j) {
      float total = 0.0F;
      for (std::int64_t begin = 0; begin < problem.k; begin += slice_pieces * piece) {
        const std::int64_t end = std::min(begin + slice_pieces * piece, problem.k);
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (std::int64_t i = begin; i < end; ++i) {
          sums[static_cast<std::size_t>((i - begin) / (piece * run) % k_warps)] +=
              t.x[row * problem.k + i] * t.a[j * problem.k + i];
        }
        float partial = sums[0];
        for (std::size_t w = 1; w < sums.size(); ++w) partial += sums[w];
        total += partial;
      }
      h[static_cast<std::size_t>(j)] = total;
    }
    expand_row(problem, t, row, h);
  }
}

}  // namespace loratune
