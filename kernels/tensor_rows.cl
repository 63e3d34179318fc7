// tensor_rows: one launch on NVIDIA's tensor cores, f32 accumulation. A work-group takes a block of
// rows whole: x A^T of them stays in its local memory, and nobody waits for anyone. So A and B are
// read again for each block, which pays where there are enough rows for large blocks; where there
// are few, several groups share out a block's columns, and each computes its h again.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   y[m,n]     off_y + row * ld_y + column
//
// Shrink and the order of elements in it are those of tensor.cl: a warp takes ROW_TILES * 16 rows
// and RANK_TILES * 8 ranks, ROW_WARPS and RANK_WARPS of them side by side, and what warps are left
// share k. Expand: a warp takes panels of COLUMN_TILES * 8 columns in turn, all rows of the block;
// once h is laid out, warps go each at its own pace. A row of a panel wants to be 128 bytes.

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
#define RANK_WARPS 1  // RANK_WARPS * RANK_TILES * 8 is the rank at least
#endif
#ifndef PIECES
#define PIECES 1  // of k, that a warp has on the way
#endif
#ifndef RUN
#define RUN 1  // neighbours among them: 2, which are 128 bytes, or 1; divides PIECES
#endif
#ifndef COLUMN_TILES
#define COLUMN_TILES 4
#endif
#ifndef AHEAD
#define AHEAD 1  // tiles of y that a warp has on the way; divides the tiles of a block
#endif
#ifndef RANKS_A_LANE
#define RANKS_A_LANE 4  // that a lane of expand takes at once: 4, or 2 for ranks up to 8
#endif
#ifndef RANK_CHUNKS
#define RANK_CHUNKS 4  // of 4 * RANKS_A_LANE: all ranks
#endif

#define WG (32 * WARPS)
#define OUT_TILES (ROW_TILES * ROW_WARPS)
#define SUM_TILES 1
#define H_SPACE local
#include "common.clh"
#include "nv_tensor.clh"
#include "tensor_shrink.clh"
#include "tensor_stage.clh"
#include "tensor_expand.clh"

#define H_WORDS (GROUP_ROWS * GROUP_RANKS)
#define FIRST_WORDS (H_WORDS + SHRINK_WORDS)

typedef struct {
  long off_x, ld_x, off_y, ld_y, off_b;
  float scale;
  int m, k, n, rank, parts;
} Call;

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor_rows(
    global const elem* restrict x, global const elem* restrict ab,
    global elem* restrict y, Call call) {
  global const elem* restrict a = ab;
  global const elem* restrict b = ab + call.off_b;
  const int n = call.n, rank = call.rank;
  // h, and the sums of the warps in shrink; then h as the stage of expand.
  local uint __attribute__((aligned(16)))
  memory[FIRST_WORDS > STAGE_WORDS ? FIRST_WORDS : STAGE_WORDS];
  local uint maxima[MAXIMA];
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int part = (int)(get_group_id(0) % call.parts);
  const long block_row = (long)(get_group_id(0) / call.parts) * GROUP_ROWS;
  const int rows = (int)min(call.m - block_row, (long)GROUP_ROWS);
  x += call.off_x + block_row * call.ld_x;
  y += call.off_y + block_row * call.ld_y;
  const int x_aligned =
      (((ulong)x | (ulong)(call.ld_x * sizeof(elem)) | (ulong)call.k * sizeof(elem)) & 15) == 0;
  const int y_aligned =
      (((ulong)y | (ulong)(call.ld_y * sizeof(elem))) & (WIDTH * sizeof(elem) - 1)) == 0;

  local float* h = (local float*)memory;
  shrink_tile(x, call.ld_x, a, (call.k + UNIT - 1) / UNIT * UNIT, h, GROUP_RANKS, h + H_WORDS, 0, 0,
              0, call.k, rows, rank, x_aligned);
  barrier(CLK_LOCAL_MEM_FENCE);
  FLOATS(RANKS_A_LANE) shares[ITEMS][CHUNKS];
  load_h(h, GROUP_RANKS, shares, 0, 0, rows, 1);

  // The part's panels, of which the warp takes one after the other.
  const int panels = (n - 1) / PANEL + 1;
  const int last = (int)((part + 1L) * panels / call.parts);
  int panel = (int)((long)part * panels / call.parts) + warp;
  long column0 = (long)panel * PANEL;
  int columns = (int)clamp(n - column0, 0L, (long)PANEL);
  int wide = y_aligned && column_of(lane % 4, LANE_COLUMNS - 1) < columns;
  uint before[AHEAD][2][LANE_WORDS];
#pragma unroll
  for (int t = 0; t < AHEAD; ++t) {
    load_y(y + column0, call.ld_y, t * 16, panel < last ? rows : 0, wide, before[t]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  put_h(shares, memory, maxima);

  while (panel < last) {
    uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES];
    load_b(b + column0 * rank, bs, 0, rank);
    global elem* place = y + column0;
    panel += WARPS;
    column0 += WARPS * PANEL;
    const int next_columns = (int)clamp(n - column0, 0L, (long)PANEL);
    const int next_wide = y_aligned && column_of(lane % 4, LANE_COLUMNS - 1) < next_columns;
    // Written out, the loads of all tiles would come first, and the registers not suffice.
#pragma unroll 1
    for (int t0 = 0; t0 < OUT_TILES; t0 += AHEAD) {
      // As many tiles on: in this panel, or in the next from its first on. One load for both: of
      // two, in branches, the compiler would wait for each.
      const int over = t0 + AHEAD >= OUT_TILES;
      global elem* then = over ? y + column0 : place;
      const int then_rows = over && panel >= last ? 0 : rows;
      const int then_wide = over ? next_wide : wide;
      const int then_t0 = over ? 0 : t0 + AHEAD;
#pragma unroll
      for (int i = 0; i < AHEAD; ++i) {
        const int t = t0 + i;
        float sum[SUM_TILES][COLUMN_TILES][4];
#pragma unroll
        for (int j = 0; j < COLUMN_TILES * 4; ++j) (&sum[0][0][0])[j] = 0.0f;
        float up[2] = {1.0f, 1.0f};
#if F16
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          up[j] = row_scale(largest_in(maxima, t * 16 + j * 8 + lane / 4));
        }
#endif
        multiply(memory, t, bs, sum);
        store_y(place, call.ld_y, t * 16, rows, wide, columns, call.scale, sum, up, before[i]);
        load_y(then, call.ld_y, (then_t0 + i) * 16, then_rows, then_wide, before[i]);
      }
    }
    columns = next_columns;
    wide = next_wide;
  }
}
