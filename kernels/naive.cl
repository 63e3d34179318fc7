// naive: one work-item computes one output and recomputes x A^T for it: 2 m n rank (k + 1) flops
// where 2 m rank (k + n) would do. It is the negative control that every other variant has to beat,
// and the last fallback, since it needs no local memory, no scratch and a work-group of any size.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * k + i, or i * rank + j where A_TRANSPOSED
//   B[n,rank]  column * rank + j
//   y[m,n]     off_y + row * ld_y + column
// A work-group is WG_M rows by WG_N columns of one module; groups are numbered along a row of groups
// of all modules first.

#include "storage.clh"

#ifndef WG_M
#define WG_M 1  // rows of a work-group
#endif
#ifndef WG_N
#define WG_N 64  // columns of a work-group
#endif
#ifndef UNROLL
#define UNROLL 1  // steps of the k loop written out
#endif
#ifndef A_TRANSPOSED
#define A_TRANSPOSED 0  // 1: A is packed as [k, rank]
#endif

// The block's scale, read where it is used: Mesa 22.3's rusticl ends the process where a scale that
// was read before the loops is used behind them.
#if ADAPTERS
#define SCALE(block, module, which) ((module).scale * as_float((block).slot[2 * (which) + 1]))
#else
#define SCALE(block, module, which) ((module).scale)
#endif

typedef struct {
  long off_x, ld_x;
#if ADAPTERS
  Pool pool;
#endif
  Module modules[MODULES];
  int m, k, column_blocks, rank;
} Call;

kernel __attribute__((reqd_work_group_size(WG_M * WG_N, 1, 1))) void naive(
    TENSORS(weight) POOL, Call call) {
  FIND_TENSORS(weight)
  const int item = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  int block = (int)(group % call.column_blocks);
  const int which = find_module(call.modules, &block);
  const Module module = call.modules[which];
  const Block rows = FIND_BLOCK(call, which, group / call.column_blocks, WG_M, call.rank);
  const long column = (long)block * WG_N + item % WG_N;
  const int k = call.k, ranks = call.rank;
  if (item / WG_N >= rows.count || column >= module.n) return;
  x += call.off_x + ROW(rows, item / WG_N) * call.ld_x;
  ab += rows.weights;
  const global weight* a = ab + module.off_a;
  const global weight* b_row = ab + module.off_b + column * ranks;
  global elem* y = OUTPUT(which) + module.off_y + ROW(rows, item / WG_N) * module.ld_y + column;
  float sum = 0.0f;
  for (int j = 0; j < rows.rank; ++j) {
    float h = 0.0f;
#pragma unroll UNROLL
    for (int i = 0; i < k; ++i) {
#if A_TRANSPOSED
      h += LOAD(x + i) * LOAD_WEIGHT(a + (long)i * ranks + j);
#else
      h += LOAD(x + i) * LOAD_WEIGHT(a + (long)j * k + i);
#endif
    }
    sum += h * LOAD_WEIGHT(b_row + j);
  }
  STORE(NEW_OUTPUT(LOAD(y), SCALE(rows, module, which) * sum, GAINS(ab, module, column)[0]), y);
}
