// What the variants on NVIDIA's tensor cores share.
#pragma once

#include <vector>

#include "variants/internal/planning.h"

namespace loratune {

inline constexpr std::string_view kNeedsTensorCores =
    "the tensor cores of an NVIDIA GPU from capability 8.0 on";

// Elements of a row of x or A that a warp of shrink takes at once: 64 bytes.
constexpr std::int64_t tensor_piece(Dtype dtype) { return 64 / element_bytes(dtype); }

// Ranks that a lane of expand takes at once; four lanes take a chunk.
constexpr int ranks_a_lane(int rank) { return rank <= 8 ? 2 : 4; }

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
// than 16 is one that three tf32 products for one of f32 do not keep. The kernels round k up to 16
// bytes in an int.
inline bool tensor_tiles_suit(const Problem& problem, const DeviceInfo& device) {
  constexpr int kCapability = 80;  // mma with tf32, and f16 tiles of 16 x 8 x 16
  constexpr std::int64_t kLongest = kMaxExtent - 8;
  constexpr int kLeastF32K = 16;
  return device.nv_compute_capability >= kCapability && problem.k <= kLongest &&
         (problem.dtype == Dtype::f16 || problem.k >= kLeastF32K);
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
  const std::int64_t piece = tensor_piece(problem.dtype);
  const std::int64_t step = piece * k_warps;
  return {piece, piece + piece / 4,  2 * piece,
          step,  step * warp_pieces, step * warp_pieces * slices};
}

// The product as the kernels sum it: k in slices of `slice_pieces` pieces, of whose pieces
// `k_warps` warps take turns, `run` at a time. The order within one step of a piece is the
// hardware's own: here it is from left to right.
inline void tensor_reference(const Problem& problem, std::int64_t slice_pieces, int k_warps,
                             int run, const HostTensors& t) {
  const std::int64_t piece = tensor_piece(problem.dtype);
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
