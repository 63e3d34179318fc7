// tiled: one launch. A work-group owns TILE_M tokens and a block of columns. It stages its tokens'
// x through local memory, TILE_K at a time, leaves h = x A^T in local memory, and expands from
// there; h never exists in global memory. Groups that share tokens each compute h again, that of
// their module, which is the price of the single launch: BLOCK_N sets it.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  panels of A_TILE ranks: (j / A_TILE * k + i) * A_TILE + j % A_TILE
//   B[n,rank]  panels of B_TILE columns: (column / B_TILE * rank + j) * B_TILE + column % B_TILE
//   y[m,n]     off_y + row * ld_y + column
//   stage      TILE_M * TILE_K of x, then reused as K_LANES * PANEL_LANES * TILE_M * A_TILE partial
//              sums
//   h          TILE_M * rank_padded floats of local memory
// Work-item t accumulates, of each staged piece, k = t % K_LANES, + K_LANES, ... for panel
// t / K_LANES of A; panels beyond PANEL_LANES = WG_SIZE / K_LANES take further passes over x.

#ifndef WG_SIZE
#define WG_SIZE 64  // work-items of a group
#endif
#ifndef TILE_M
#define TILE_M 4  // tokens of a group
#endif
#ifndef TILE_K
#define TILE_K 128  // columns of x staged at a time
#endif
#ifndef K_LANES
#define K_LANES 16  // work-items that share the k of one panel, a power of two dividing WG_SIZE
#endif
#ifndef A_TILE
#define A_TILE 4  // ranks that a work-item accumulates: 1, 2, 4, 8 or 16
#endif
#ifndef B_TILE
#define B_TILE 4  // columns that a work-item accumulates: 1, 2, 4, 8 or 16
#endif
#define PANEL_LANES (WG_SIZE / K_LANES)

#define OUT_ROWS TILE_M
#include "storage.clh"

typedef struct {
  long off_x, ld_x;
#if ADAPTERS
  Pool pool;
#endif
  Module modules[MODULES];
  int m, k, column_blocks, rank;
} Call;

kernel __attribute__((reqd_work_group_size(WG_SIZE, 1, 1))) void tiled(
    TENSORS(weight) POOL, Call call, local float* stage, local float* h) {
  FIND_TENSORS(weight)
  const int item = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  int block = (int)(group % call.column_blocks);
  const int which = find_module(call.modules, &block);
  const Module module = call.modules[which];
  const Block rows = FIND_BLOCK(call, which, group / call.column_blocks, TILE_M, call.rank);
  ab += rows.weights;
  global const weight* restrict a = ab + module.off_a;
  global const weight* restrict b = ab + module.off_b;
  const int k = call.k, n = module.n, rank = rows.rank;
  const int panels = (rank + A_TILE - 1) / A_TILE;
  const int k_lane = item % K_LANES;
  const int panel_lane = item / K_LANES;
  const int rank_padded = panels * A_TILE;
  x += call.off_x;

  for (int panel0 = 0; panel0 < panels; panel0 += PANEL_LANES) {
    const int panel = panel0 + panel_lane;
    const global weight* a_panel = a + (long)min(panel, panels - 1) * k * A_TILE;
    FLOATS(A_TILE) sum[TILE_M];
#pragma unroll
    for (int r = 0; r < TILE_M; ++r) sum[r] = 0.0f;
    for (int k0 = 0; k0 < k; k0 += TILE_K) {
      const int length = min(k - k0, TILE_K);
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int r = 0; r < TILE_M; ++r) {
        for (int i = item; i < length; i += WG_SIZE) {
          stage[r * TILE_K + i] =
              r < rows.count ? LOAD(x + ROW(rows, r) * call.ld_x + k0 + i) : 0.0f;
        }
      }
      barrier(CLK_LOCAL_MEM_FENCE);
      if (panel < panels) {
        for (int i = k_lane; i < length; i += K_LANES) {
          const FLOATS(A_TILE) weights = LOAD_WEIGHTS(A_TILE, a_panel + (long)(k0 + i) * A_TILE);
#pragma unroll
          for (int r = 0; r < TILE_M; ++r) sum[r] += stage[r * TILE_K + i] * weights;
        }
      }
      if (k - k0 <= TILE_K) break;  // k0 + TILE_K may not fit in an int
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int r = 0; r < TILE_M; ++r) {
      PUT(A_TILE, sum[r],
          stage + ((k_lane * PANEL_LANES + panel_lane) * TILE_M + r) * A_TILE);
    }
    sum_lanes(stage, K_LANES, PANEL_LANES * TILE_M * A_TILE, item, WG_SIZE);
    for (int i = item; i < PANEL_LANES * TILE_M * A_TILE; i += WG_SIZE) {
      const int p = panel0 + i / (TILE_M * A_TILE);
      const int r = i / A_TILE % TILE_M;
      if (p < panels) h[r * rank_padded + p * A_TILE + i % A_TILE] = stage[i];
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);

  const long tile0 = (long)block * module.block_tiles;
  global elem* y = OUTPUT(which) + module.off_y;
  for (int t = item; t < module.block_tiles; t += WG_SIZE) {
    const long column = (tile0 + t) * B_TILE;
    if (column >= n) break;
    const global weight* b_panel = b + (tile0 + t) * call.rank * B_TILE;
    FLOATS(B_TILE) sum[TILE_M];
#pragma unroll
    for (int r = 0; r < TILE_M; ++r) sum[r] = 0.0f;
    for (int j = 0; j < rank; ++j) {
      const FLOATS(B_TILE) weights = LOAD_WEIGHTS(B_TILE, b_panel + (long)j * B_TILE);
#pragma unroll
      for (int r = 0; r < TILE_M; ++r) sum[r] += h[r * rank_padded + j] * weights;
    }
    const int columns = (int)min((long)n - column, (long)B_TILE);
    put_block(y + column, module.ld_y, rows, columns, GAINS(ab, module, column), sum);
  }
}
