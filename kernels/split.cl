// split: two launches. `shrink` computes h = x A^T, k cut into slices so that few rows still fill
// the device; each slice writes its own partial h. `expand` adds the slices up in a fixed order
// and multiplies by B. Nothing is computed twice, and the sum does not depend on timing.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  panels of A_TILE ranks: (j / A_TILE * k + i) * A_TILE + j % A_TILE
//   h          ((slice * m + row) * MODULES + module) * rank_padded + j, float scratch, rank_padded
//              a multiple of A_TILE
//   B[n,rank]  panels of B_TILE columns: (column / B_TILE * rank + j) * B_TILE + column % B_TILE
//   y[m,n]     off_y + row * ld_y + column
// A shrink group is K_LANES work-items on SHRINK_ROWS rows, one panel of A and one slice of k; the
// panels of all modules follow one another. An expand group is EXPAND_ROWS rows by EXPAND_WG tiles
// of B_TILE columns of one module.

#ifndef A_TILE
#define A_TILE 4  // ranks that a shrink work-item accumulates: 1, 2, 4, 8 or 16
#endif
#ifndef SHRINK_ROWS
#define SHRINK_ROWS 4  // rows that a shrink work-item accumulates
#endif
#ifndef K_LANES
#define K_LANES 16  // work-items that share a slice of k, a power of two
#endif
#ifndef B_TILE
#define B_TILE 4  // columns that an expand work-item accumulates: 1, 2, 4, 8 or 16
#endif
#ifndef EXPAND_ROWS
#define EXPAND_ROWS 4  // rows that an expand work-item accumulates
#endif
#ifndef EXPAND_WG
#define EXPAND_WG 64  // work-items of an expand group
#endif

#define OUT_ROWS EXPAND_ROWS
#include "storage.clh"

typedef struct {
  long off_x, ld_x, off_a;
  int m, k, panels, slices, slice_length;
} Shrink;

kernel __attribute__((reqd_work_group_size(K_LANES, 1, 1))) void shrink(
    global const elem* restrict x, global const weight* restrict a, global float* restrict h,
    Shrink call) {
  const int m = call.m, k = call.k, panels = call.panels;  // of all modules
  const int lane = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  const int slice = (int)(group % call.slices);
  const int panel = (int)(group / call.slices % panels);
  const long row0 = group / call.slices / panels * SHRINK_ROWS;

  const global elem* rows[SHRINK_ROWS];  // a row past the end reads the last one and is not stored
  FLOATS(A_TILE) sum[SHRINK_ROWS];
#pragma unroll
  for (int r = 0; r < SHRINK_ROWS; ++r) {
    rows[r] = x + call.off_x + min(row0 + r, (long)m - 1) * call.ld_x;
    sum[r] = 0.0f;
  }
  a += call.off_a + (long)panel * k * A_TILE;
  const uint begin = (uint)slice * call.slice_length;  // uint: i may step past 2^31
  const uint end = min((uint)k - begin, (uint)call.slice_length) + begin;
  for (uint i = begin + lane; i < end; i += K_LANES) {
    const FLOATS(A_TILE) weights = LOAD_WEIGHTS(A_TILE, a + (long)i * A_TILE);
#pragma unroll
    for (int r = 0; r < SHRINK_ROWS; ++r) sum[r] += LOAD(rows[r] + i) * weights;
  }

  const long rank_padded = (long)panels * A_TILE;
  h += ((long)slice * m + row0) * rank_padded + (long)panel * A_TILE;
#if K_LANES == 1
#pragma unroll
  for (int r = 0; r < SHRINK_ROWS; ++r) {
    if (row0 + r < m) PUT(A_TILE, sum[r], h + r * rank_padded);
  }
#else
  local float red[K_LANES * SHRINK_ROWS * A_TILE];
#pragma unroll
  for (int r = 0; r < SHRINK_ROWS; ++r) {
    PUT(A_TILE, sum[r], red + (lane * SHRINK_ROWS + r) * A_TILE);
  }
  sum_lanes(red, K_LANES, SHRINK_ROWS * A_TILE, lane, K_LANES);
  for (int i = lane; i < SHRINK_ROWS * A_TILE; i += K_LANES) {
    if (row0 + i / A_TILE < m) h[i / A_TILE * rank_padded + i % A_TILE] = red[i];
  }
#endif
}

typedef struct {
  Module modules[MODULES];
  int m, rank, rank_padded, slices, column_blocks;
} Expand;

kernel __attribute__((reqd_work_group_size(EXPAND_WG, 1, 1))) void expand(
    global const float* restrict h, global const weight* restrict b, OUTPUTS, Expand call,
    local float* h_rows) {
  const int m = call.m, rank = call.rank;
  const int item = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  int block = (int)(group % call.column_blocks);
  const int which = find_module(call.modules, &block);
  const Module module = call.modules[which];
  const long row0 = group / call.column_blocks * EXPAND_ROWS;
  const int rows = (int)min((long)m - row0, (long)EXPAND_ROWS);
  const long ld_h = (long)MODULES * call.rank_padded;
  h += row0 * ld_h + which * call.rank_padded;
  for (int i = item; i < EXPAND_ROWS * rank; i += EXPAND_WG) {
    const int r = i / rank;
    float sum = 0.0f;
    if (r < rows) {
      const global float* partial = h + r * ld_h + i % rank;
      for (int s = 0; s < call.slices; ++s) sum += partial[(long)s * m * ld_h];
    }
    h_rows[i] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);

  const long tile = (long)block * EXPAND_WG + item;
  const long column = tile * B_TILE;
  if (column >= module.n) return;
  const global float* g = GAINS(b, module, column);
  b += module.off_b + tile * rank * B_TILE;
  FLOATS(B_TILE) sum[EXPAND_ROWS];
#pragma unroll
  for (int r = 0; r < EXPAND_ROWS; ++r) sum[r] = 0.0f;
  for (int j = 0; j < rank; ++j) {
    const FLOATS(B_TILE) weights = LOAD_WEIGHTS(B_TILE, b + (long)j * B_TILE);
#pragma unroll
    for (int r = 0; r < EXPAND_ROWS; ++r) sum[r] += h_rows[r * rank + j] * weights;
  }
  global elem* y = OUTPUT(which) + module.off_y + row0 * module.ld_y + column;
  const int columns = (int)min((long)module.n - column, (long)B_TILE);
  put_rows(y, module.ld_y, rows, columns, module.scale, g, sum);
}
