// tensor_rows: one launch on NVIDIA's tensor cores, f32 accumulation. A work-group takes a block of
// rows whole: x A^T of them stays in its local memory, and nobody waits for anyone. So A and B are
// read again for each block, which pays where there are enough rows for large blocks; where there
// are few, several groups share out a block's columns, and each computes its h again.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   y[m,n]     off_y + row * ld_y + column
// Of several modules each has groups of its own; rows of several adapters come in the blocks of
// their route.
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
#include "storage.clh"
#include "nv_tensor.clh"
#include "tensor_shrink.clh"
#include "tensor_stage.clh"
#include "tensor_expand.clh"

#define H_WORDS (GROUP_ROWS * GROUP_RANKS)
#define FIRST_WORDS (H_WORDS + SHRINK_WORDS)

typedef struct {
  long off_x, ld_x;
#if ADAPTERS
  Pool pool;
#endif
  Module modules[MODULES];
  int m, k, column_blocks, rank;
} Call;

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor_rows(
    TENSORS(weight) POOL, Call call) {
  FIND_TENSORS(weight)
  // h, and the sums of the warps in shrink; then h as the stage of expand.
  local uint __attribute__((aligned(16)))
  memory[FIRST_WORDS > STAGE_WORDS ? FIRST_WORDS : STAGE_WORDS];
  local uint maxima[MAXIMA];
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  int part = (int)(get_group_id(0) % call.column_blocks);
  const int which = find_module(call.modules, &part);
  const Module module = call.modules[which];
  Block block =
      FIND_BLOCK(call, which, get_group_id(0) / call.column_blocks, GROUP_ROWS, call.rank);
  x += call.off_x;
  global elem* y = OUTPUT(which) + module.off_y;
#if !ADAPTERS
  x += block.first * call.ld_x;
  y += block.first * module.ld_y;
  block.first = 0;
#endif
  ab += block.weights;
  global const weight* restrict b = ab + module.off_b;
  const int k = call.k, n = module.n, rank = block.rank;
  const long ld_y = module.ld_y;
  const ulong x_places = (ulong)x | (ulong)(call.ld_x * sizeof(elem)) | (ulong)k * sizeof(elem);
  const ulong y_places = (ulong)y | (ulong)(ld_y * sizeof(elem));
  const int y_aligned = (y_places & (WIDTH * sizeof(elem) - 1)) == 0;

  local float* h = (local float*)memory;
  shrink_tile(x, call.ld_x, ab + module.off_a, (k + A_UNIT - 1) / A_UNIT * A_UNIT, h, GROUP_RANKS,
              h + H_WORDS, 0, 0, 0, k, call.rank, block, (x_places & (X_WORDS * 4 - 1)) == 0);
  barrier(CLK_LOCAL_MEM_FENCE);
  FLOATS(RANKS_A_LANE) shares[ITEMS][CHUNKS];
  load_h(h, GROUP_RANKS, GROUP_RANKS, shares, 0, 0, block.count, 0, 1);

  // The part's panels, of which the warp takes one after the other; those of B have all ranks that
  // the layout has.
  const int panels = (n - 1) / PANEL + 1;
  const int last = (int)((part + 1L) * panels / module.column_blocks);
  int panel = (int)((long)part * panels / module.column_blocks) + warp;
  long column0 = (long)panel * PANEL;
  int columns = (int)clamp(n - column0, 0L, (long)PANEL);
  int wide = y_aligned && column_of(lane % 4, LANE_COLUMNS - 1) < columns;
  uint before[AHEAD][2][LANE_WORDS];
#pragma unroll
  for (int t = 0; t < AHEAD; ++t) {
    load_y(y + column0, ld_y, t * 16, block, wide && panel < last, before[t]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  put_h(shares, memory, maxima);

  while (panel < last) {
    uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES];
    load_b(b + column0 * call.rank, bs, 0, rank);
    global elem* place = y + column0;
    const global float* g = GAINS(ab, module, column0);
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
      const int then_wide = over ? next_wide && panel < last : wide;
      const int then_t0 = over ? 0 : t0 + AHEAD;
#pragma unroll
      for (int i = 0; i < AHEAD; ++i) {
        const int t = t0 + i;
        float sum[SUM_TILES][COLUMN_TILES][4];
#pragma unroll
        for (int j = 0; j < COLUMN_TILES * 4; ++j) (&sum[0][0][0])[j] = 0.0f;
        float up[2] = {1.0f, 1.0f};
#if SCALED
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          up[j] = row_scale(largest_in(maxima, t * 16 + j * 8 + lane / 4));
        }
#endif
        multiply(memory, t, bs, sum);
        store_y(place, ld_y, t * 16, block, wide, columns, g, sum, up, before[i]);
        load_y(then, ld_y, (then_t0 + i) * 16, block, then_wide, before[i]);
      }
    }
    columns = next_columns;
    wide = next_wide;
  }
}
