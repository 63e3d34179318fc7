// tensor: one launch on NVIDIA's tensor cores, f32 accumulation. Its work-groups are all resident
// at once, 8 / WARPS for each compute unit and at least one: they share out x A^T between them,
// wait for one another, and share out the product with B. So nothing is computed twice, h passes
// through the L2 cache, and a second launch's cost is saved.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   h          (slice * m + row) * ld_h + j, float scratch behind 32 words, of which the first
//              counts the work-groups at the wait: between two runs it is 0 or their number
//   y[m,n]     off_y + row * ld_y + column
// Shrink: a warp takes ROW_TILES * 16 rows and RANK_TILES * 8 ranks of a slice of k; in a group
// ROW_WARPS and RANK_WARPS of them stand side by side, and what warps are left take turns at pieces
// of 64 bytes of k, and add up through local memory. Expand: a group takes stages of OUT_TILES * 16
// rows, and each of its warps COLUMN_TILES * 8 columns.
//
// A sum over k may take the k in any order, if x and A agree on it. So each lane loads 16 bytes of
// consecutive elements of its row and passes them to the two steps of the piece as if they stood
// where the instruction wants them. The same goes for the ranks in expand; and which column of y is
// which of a tile is chosen such that a lane's are neighbours.
//
// f32 has 24 bits, an operand (tf32) 11: a value goes in as the sum of two, and of the four
// products the least is left out, which costs at most 3 * 2^-22 of |x||A|. For f16 halves of x, A
// and B are exact as they are, and h, f32, goes in as the sum of two halves.

#ifndef WARPS
#define WARPS 8  // warps of a group
#endif
#ifndef ROW_TILES
#define ROW_TILES 1
#endif
#ifndef RANK_TILES
#define RANK_TILES 1
#endif
#ifndef ROW_WARPS
#define ROW_WARPS 1
#endif
#ifndef RANK_WARPS
#define RANK_WARPS 1
#endif
#ifndef PIECES
#define PIECES 1  // of k, that a warp has on the way
#endif
#ifndef OUT_TILES
#define OUT_TILES 1
#endif
#ifndef SUM_TILES
#define SUM_TILES OUT_TILES  // whose sums a warp holds at once: 1 where all ranks come in one step
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
#include "tensor_stage.clh"
#include "tensor_expand.clh"

typedef struct {
  long off_x, ld_x, off_y, ld_y;
  float scale;
  int m, k, n, rank, slice_pieces;
} Call;

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor(
    global const elem* restrict x, global const elem* restrict a, global const elem* restrict b,
    global elem* restrict y, global float* scratch, Call call) {
  const int m = call.m, k = call.k, n = call.n, rank = call.rank;
  // Sums of the warps in shrink; then two stages of h.
  local uint __attribute__((aligned(16)))
  memory[SHRINK_WORDS > 2 * STAGE_WORDS ? SHRINK_WORDS : 2 * STAGE_WORDS];
  local uint maxima[2 * MAXIMA];
  global float* h = scratch + 32;
  global uint* arrivals = (global uint*)scratch;
  const uint groups = (uint)get_num_groups(0);
  const uint round = round_of(arrivals, groups);
  const int ld_a = (k + UNIT - 1) / UNIT * UNIT;
  const int panels = (rank + GROUP_RANKS - 1) / GROUP_RANKS;
  const int ld_h = panels * GROUP_RANKS;
  const int slices = ((k - 1) / PIECE + call.slice_pieces) / call.slice_pieces;
  x += call.off_x;
  y += call.off_y;
  local float* sums = (local float*)memory;
  const int x_aligned =
      (((ulong)x | (ulong)(call.ld_x * sizeof(elem)) | (ulong)k * sizeof(elem)) & 15) == 0;
  const int y_aligned =
      (((ulong)y | (ulong)(call.ld_y * sizeof(elem))) & (WIDTH * sizeof(elem) - 1)) == 0;
  shrink(x, call.ld_x, a, ld_a, h, ld_h, sums, m, k, rank, panels, slices, call.slice_pieces,
         x_aligned);
  arrive(arrivals, groups);
  expand(h, ld_h, b, y, call.ld_y, memory, maxima, arrivals, round, call.scale, m, n, rank, slices,
         y_aligned);
}
