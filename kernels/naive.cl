// naive: one work-item computes one output and recomputes x A^T for it: 2 m n rank (k + 1) flops
// where 2 m rank (k + n) would do. It is the negative control that every other variant has to beat,
// and the last fallback, since it needs no local memory, no scratch and a work-group of any size.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  off_a + j * k + i, or off_a + i * rank + j where A_TRANSPOSED
//   B[n,rank]  off_b + column * rank + j
//   y[m,n]     off_y + row * ld_y + column
// A work-group is WG_M rows by WG_N columns; groups are numbered along a row of groups first.

#include "common.clh"

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

kernel __attribute__((reqd_work_group_size(WG_M * WG_N, 1, 1))) void naive(
    global const elem* restrict x, long off_x, long ld_x, global const elem* restrict a, long off_a,
    global const elem* restrict b, long off_b, global elem* restrict y, long off_y, long ld_y,
    float scale, int m, int k, int n, int rank, int column_groups) {
  const int item = (int)get_local_id(0);
  const long group = (long)get_group_id(0);
  const long row = group / column_groups * WG_M + item / WG_N;
  const long column = group % column_groups * WG_N + item % WG_N;
  if (row >= m || column >= n) return;
  x += off_x + row * ld_x;
  y += off_y + row * ld_y + column;
  a += off_a;
  b += off_b + column * rank;
  float sum = 0.0f;
  for (int j = 0; j < rank; ++j) {
    float h = 0.0f;
#pragma unroll UNROLL
    for (int i = 0; i < k; ++i) {
#if A_TRANSPOSED
      h += LOAD(x + i) * LOAD(a + (long)i * rank + j);
#else
      h += LOAD(x + i) * LOAD(a + (long)j * k + i);
#endif
    }
    sum += h * LOAD(b + j);
  }
#if ACCUMULATE
  STORE(LOAD(y) + scale * sum, y);
#else
  STORE(scale * sum, y);
#endif
}
