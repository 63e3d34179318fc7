// tensor: one launch on NVIDIA's tensor cores, f32 accumulation. Its work-groups, at most one for
// each compute unit, are all resident at once: they share out x A^T between them, wait for one
// another, and share out the product with B. So nothing is computed twice, h passes through the L2
// cache, and a second launch's cost is saved.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   h          (slice * m + row) * ld_h + j, float scratch behind 32 words, of which the first
//              counts the work-groups at the wait: between two runs it is 0 or their number
//   y[m,n]     off_y + row * ld_y + column
// Shrink: a group takes ROW_TILES * 16 rows, RANK_TILES * 8 ranks and a slice of k. Its warps take
// turns at pieces of 64 bytes of k, and add up through local memory. Expand: a group takes
// OUT_TILES * 16 rows, and each of its warps COLUMN_TILES * 8 columns.
//
// A sum over k may take the k in any order, if x and A agree on it. So each lane loads 16 bytes of
// consecutive elements of its row and passes them to the two steps of the piece as if they stood
// where the instruction wants them. The same goes for the ranks in expand; and which column of y is
// which of a tile is chosen such that a lane's are neighbours.
//
// f32 has 24 bits, an operand (tf32) 11: a value goes in as the sum of two, and of the four
// products the least is left out, which costs at most 3 * 2^-22 of |x||A|. h is taken so for f16
// too; halves of x, A and B are exact as they are.

#ifndef WARPS
#define WARPS 8  // warps of a group
#endif
#ifndef ROW_TILES
#define ROW_TILES 1
#endif
#ifndef RANK_TILES
#define RANK_TILES 1
#endif
#ifndef PIECES
#define PIECES 1  // of k, that are loaded before any of them is used
#endif
#ifndef OUT_TILES
#define OUT_TILES 1
#endif
#ifndef COLUMN_TILES
#define COLUMN_TILES 4
#endif
#ifndef RANKS_A_LANE
#define RANKS_A_LANE 4  // that a lane of expand takes at once: 4, or 2 for ranks up to 8
#endif
#ifndef RANK_CHUNKS
#define RANK_CHUNKS 4  // of 4 * RANKS_A_LANE, that expand holds in local memory at a time
#endif

#define WG (32 * WARPS)
#include "common.clh"
#include "nv_tensor.clh"
#include "tensor_shrink.clh"
#include "tensor_expand.clh"

#define SHRINK_STAGE (WARPS * RANK_TILES * 128)
#define EXPAND_STAGE (STAGED * SHARE_WORDS)

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor(
    global const elem* restrict x, long off_x, long ld_x, global const elem* restrict a,
    global const elem* restrict b, global elem* restrict y, long off_y, long ld_y, float scale,
    int m, int k, int n, int rank, global float* scratch, int slice_pieces) {
  // Sums of the warps in shrink; then h, two words a value.
  local uint stage[SHRINK_STAGE > EXPAND_STAGE ? SHRINK_STAGE : EXPAND_STAGE];
#if F16
  local uint scales[2 * SCALES];
#else
  local uint scales[1];
#endif
  global float* h = scratch + 32;
  global uint* arrivals = (global uint*)scratch;
  const uint groups = (uint)get_num_groups(0);
  const uint round = round_of(arrivals, groups);
  const int ld_a = (k + UNIT - 1) / UNIT * UNIT;
  const int panels = (rank + 8 * RANK_TILES - 1) / (8 * RANK_TILES);
  const int ld_h = panels * 8 * RANK_TILES;
  const int slices = ((k - 1) / PIECE + slice_pieces) / slice_pieces;
  x += off_x;
  y += off_y;
  local float* sums = (local float*)stage;
  if ((((ulong)x | (ulong)(ld_x * sizeof(elem))) & 15) == 0) {
    shrink(x, ld_x, a, ld_a, h, ld_h, sums, m, k, rank, panels, slices, slice_pieces, 1);
  } else {
    shrink(x, ld_x, a, ld_a, h, ld_h, sums, m, k, rank, panels, slices, slice_pieces, 0);
  }
  arrive(arrivals, groups);
  if ((((ulong)y | (ulong)(ld_y * sizeof(elem))) & (WIDTH * sizeof(elem) - 1)) == 0) {
    expand(h, ld_h, b, y, ld_y, stage, scales, arrivals, round, scale, m, n, rank, slices, 1);
  } else {
    expand(h, ld_h, b, y, ld_y, stage, scales, arrivals, round, scale, m, n, rank, slices, 0);
  }
}
