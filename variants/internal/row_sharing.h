// How long the threads of a CPU take over the rows of a launch whose groups are blocks of rows:
// PoCL hands blocks out, and the launch ends with its last thread.
#pragma once

#include <cstdint>

namespace loratune {

// What sharing rows out costs on a kind of CPU.
struct SharingCosts {
  double wake_up;  // flops that the first thread does before the others are awake
  double block;    // flops that a thread could do while it is handed a block
  double row;      // a row of any other thread, in rows of the first
};

// How rows are cut: a block is `tiles` register tiles of `tile_rows` rows each.
struct RowCut {
  std::int32_t tile_rows, tiles;
  double reading;  // the weights for a block, in multiples of the work of a tile
};

// More threads than kMostThreads, which no CPU has today, count as so many: the model looks
// at each thread for each share.
inline constexpr int kMostThreads = 1024;

// When the last thread has done its share of m rows in blocks of `block` rows, in rows of the first
// thread. PoCL gives a thread that asks its share of the rows that are left, in whole blocks: so
// the first thread gets at once its share of all, and the others, who ask `wake_up` rows later,
// theirs of the rest.
double rows_of_the_last(std::int64_t m, std::int64_t block, int threads, double wake_up,
                        double row);

// How long the thread that ends last takes over m rows of `row_flops` each, in flops.
double flops_of_the_last(std::int64_t m, double row_flops, const RowCut& cut, int threads,
                         const SharingCosts& costs);

}  // namespace loratune
