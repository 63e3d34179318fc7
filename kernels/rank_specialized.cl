// rank_specialized: one launch, the rank a compile-time constant, so that h = x A^T of a
// work-item's rows stays in registers and every loop over ranks is written out. A work-group's
// LANES share k, add their sums up through local memory, take all of h back into registers, and
// share the columns of a block. Groups that share rows each compute h again, that of their module:
// BLOCK_N sets how many.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  one panel of RANK_PADDED ranks: i * RANK_PADDED + j
//   B[n,rank]  panels of B_TILE columns: (column / B_TILE * RANK + j) * B_TILE + column % B_TILE
//   y[m,n]     off_y + row * ld_y + column

#ifndef RANK
#define RANK 8  // the rank
#endif
#ifndef A_VEC
#define A_VEC 4  // width of a load from A: 1, 2, 4, 8 or 16
#endif
#ifndef ROWS
#define ROWS 4  // rows of a work-group, all held by each work-item
#endif
#ifndef LANES
#define LANES 64  // work-items of a group, a power of two
#endif
#ifndef B_TILE
#define B_TILE 4  // columns that a work-item accumulates: 1, 2, 4, 8 or 16
#endif
#define RANK_VECS ((RANK + A_VEC - 1) / A_VEC)
#define RANK_PADDED (RANK_VECS * A_VEC)

#define OUT_ROWS ROWS
#include "storage.clh"

typedef struct {
  long off_x, ld_x;
  Module modules[MODULES];
  int m, k, column_blocks;
} Call;

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void rank_specialized(
    TENSORS(weight), Call call) {
  FIND_TENSORS(weight)
  const int lane = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  int block = (int)(group % call.column_blocks);
  const int which = find_module(call.modules, &block);
  const Module module = call.modules[which];
  global const weight* restrict a = ab + module.off_a;
  global const weight* restrict b = ab + module.off_b;
  const int m = call.m, k = call.k, n = module.n;
  const long row0 = group / call.column_blocks * ROWS;

  const global elem* x_rows[ROWS];  // a row past the end reads the last one and is not stored
  FLOATS(A_VEC) sum[ROWS][RANK_VECS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    x_rows[r] = x + call.off_x + min(row0 + r, (long)m - 1) * call.ld_x;
#pragma unroll
    for (int v = 0; v < RANK_VECS; ++v) sum[r][v] = 0.0f;
  }
  for (uint i = lane; i < (uint)k; i += LANES) {  // uint: i may step past 2^31
    FLOATS(A_VEC) weights[RANK_VECS];
#pragma unroll
    for (int v = 0; v < RANK_VECS; ++v) {
      weights[v] = LOAD_WEIGHTS(A_VEC, a + (long)i * RANK_PADDED + v * A_VEC);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const float value = LOAD(x_rows[r] + i);
#pragma unroll
      for (int v = 0; v < RANK_VECS; ++v) sum[r][v] += value * weights[v];
    }
  }

  float h[ROWS][RANK_PADDED];
#if LANES == 1
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < RANK_VECS; ++v) PUT(A_VEC, sum[r][v], &h[r][v * A_VEC]);
  }
#else
  local float red[LANES * ROWS * RANK_PADDED];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < RANK_VECS; ++v) {
      PUT(A_VEC, sum[r][v], red + (lane * ROWS + r) * RANK_PADDED + v * A_VEC);
    }
  }
  sum_lanes(red, LANES, ROWS * RANK_PADDED, lane, LANES);
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int j = 0; j < RANK; ++j) h[r][j] = red[r * RANK_PADDED + j];
  }
#endif

  const long tile0 = (long)block * module.block_tiles;
  const int rows = (int)min((long)m - row0, (long)ROWS);
  global elem* y = OUTPUT(which) + module.off_y + row0 * module.ld_y;
  for (int t = lane; t < module.block_tiles; t += LANES) {
    const long column = (tile0 + t) * B_TILE;
    if (column >= n) break;
    const global weight* b_panel = b + (tile0 + t) * (RANK * B_TILE);
    FLOATS(B_TILE) out[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) out[r] = 0.0f;
#pragma unroll
    for (int j = 0; j < RANK; ++j) {
      const FLOATS(B_TILE) weights = LOAD_WEIGHTS(B_TILE, b_panel + j * B_TILE);
#pragma unroll
      for (int r = 0; r < ROWS; ++r) out[r] += h[r][j] * weights;
    }
    const int columns = (int)min((long)n - column, (long)B_TILE);
    put_rows(y + column, module.ld_y, rows, columns, module.scale, GAINS(ab, module, column), out);
  }
}
