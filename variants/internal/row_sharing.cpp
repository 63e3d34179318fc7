#include "variants/internal/row_sharing.h"

#include <algorithm>
#include <array>
#include <span>

#include "variants/internal/planning.h"

namespace loratune {
namespace {

// Fitted to the times of 436 problems of 8 to 512 rows on a Xeon.
constexpr double kLoading = 1.5;          // of the weights, in products of a row of a tile
constexpr double kRowPastTheEnd = 0.3;    // that a tile has beside the rows there are, in rows
constexpr std::int64_t kManyBlocks = 16;  // a thread: so many end evenly, however they are cut

}  // namespace

double rows_of_the_last(std::int64_t m, std::int64_t block, int threads, double wake_up,
                        double row) {
  threads = std::min(threads, kMostThreads);
  if (m > kManyBlocks * threads * block) {
    const double others = (threads - 1) / row;
    return (static_cast<double>(m) + others * wake_up) / (1 + others);
  }
  // A pick comes here, and allocates nothing.
  std::array<double, kMostThreads> room;  // NOLINT(cppcoreguidelines-pro-type-member-init): below
  const std::span<double> free_at = std::span(room).first(static_cast<std::size_t>(threads));
  std::fill(free_at.begin(), free_at.end(), wake_up);
  free_at.front() = 0;
  double last = 0;
  for (std::int64_t left = m; left > 0;) {
    const auto thread = std::min_element(free_at.begin(), free_at.end());
    const std::int64_t share = ceil_div(ceil_div(left, block), threads) * block;
    *thread += static_cast<double>(std::min(share, left)) * (thread == free_at.begin() ? 1 : row);
    last = std::max(last, *thread);
    left -= share;
  }
  return last;
}

double flops_of_the_last(std::int64_t m, double row_flops, const RowCut& cut, int threads,
                         const SharingCosts& costs) {
  const std::int64_t block = std::int64_t{cut.tile_rows} * cut.tiles;
  const std::int64_t past_the_end = ceil_div(m, cut.tile_rows) * cut.tile_rows - m;
  const double rows = rows_of_the_last(m, block, threads, costs.wake_up / row_flops, costs.row) +
                      kRowPastTheEnd * static_cast<double>(past_the_end);
  return rows * row_flops * (1 + kLoading / cut.tile_rows) * (1 + cut.reading / cut.tiles) +
         static_cast<double>(ceil_div(ceil_div(m, block), threads)) * costs.block;
}

}  // namespace loratune
