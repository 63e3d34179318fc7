// tensor: one launch on NVIDIA's tensor cores, f32 accumulation. Its work-groups, at most one for
// each compute unit, are all resident at once: they share out x A^T between them, wait for one
// another, and share out the product with B. So nothing is computed twice, h passes through the L2
// cache, and a second launch's cost is saved.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   h          (slice * m + row) * ld_h + j, float scratch behind 32 words of which the first counts
//              the work-groups that have come to the wait; between two runs it is 0 or their number
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

#include "common.clh"

#define WG (32 * WARPS)
#define UNIT (16 / (int)sizeof(elem))  // elements of a lane's load
#define PIECE (4 * UNIT)
#define STAGED (OUT_TILES * 2 * RANK_CHUNKS * 32)  // shares of h that expand holds
#define PANEL (8 * COLUMN_TILES)
#define LANE_COLUMNS (2 * COLUMN_TILES)
#if COLUMN_TILES == 1
#define WIDTH 2  // of a load or store of y
#elif COLUMN_TILES == 2 || !F16
#define WIDTH 4
#else
#define WIDTH 8
#endif
#if COLUMN_TILES == 8 && !F16
#define COLUMNS_WIDTH 4  // of a load of neighbours in a panel
#else
#define COLUMNS_WIDTH COLUMN_TILES
#endif
#define COLUMNS_WORDS (COLUMNS_WIDTH * (int)sizeof(elem) / 4)
#define GET(width, p) JOIN(vload, width)(0, (p))

// `words` of 32 bits in one access: the compiler makes one of each element of vload_half.
inline void get_bits(global const uint* p, uint* bits, int words) {
  if (words == 1) bits[0] = *p;
  if (words == 2) vstore2(*(global const uint2*)p, 0, bits);
  if (words == 4) vstore4(*(global const uint4*)p, 0, bits);
}

#if F16
#define WORDS (WIDTH / 2)  // of 32 bits that WIDTH elements take
inline void widen(const uint* bits, float* values, int words) {
#pragma unroll
  for (int i = 0; i < words; ++i) {
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high;}"
        : "=f"(values[2 * i]), "=f"(values[2 * i + 1])
        : "r"(bits[i]));
  }
}
inline void put_wide(global elem* p, const float* values, int words) {
  uint bits[4];
#pragma unroll
  for (int i = 0; i < words; ++i) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits[i]) : "f"(values[2 * i + 1]), "f"(values[2 * i]));
  }
  if (words == 1) *(global uint*)p = bits[0];
  if (words == 2) *(global uint2*)p = vload2(0, bits);
  if (words == 4) *(global uint4*)p = vload4(0, bits);
}
#else
#define WORDS WIDTH
inline void widen(const uint* bits, float* values, int words) {
#pragma unroll
  for (int i = 0; i < words; ++i) values[i] = as_float(bits[i]);
}
inline void put_wide(global elem* p, const float* values, int words) {
  if (words == 2) *(global float2*)p = vload2(0, values);
  if (words == 4) *(global float4*)p = vload4(0, values);
}
#endif
#define LANE_WORDS (LANE_COLUMNS / WIDTH * WORDS)

// The bits of `count` elements from p on, the rest 0.
__attribute__((noinline)) uint4 gather(global const elem* p, int count) {
  uint bits[4] = {0, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
#if F16
    bits[i / 2] |= (uint)((global const ushort*)p)[i] << (i % 2 * 16);
#else
    bits[i] = ((global const uint*)p)[i];
#endif
  }
  return (uint4)(bits[0], bits[1], bits[2], bits[3]);
}

// As far as there are `left` elements.
inline uint4 load_unit(global const elem* p, long left, int aligned) {
  if (left <= 0) return (uint4)(0);
  if (aligned && left >= UNIT) return *(global const uint4*)p;
  return gather(p, (int)min(left, (long)UNIT));
}

// A value's first 11 bits, and what is behind them: of an infinity nothing. The instruction takes 11
// bits of the rest.
inline uint tf32(float value) { return as_uint(value) & 0xffffe000u; }
inline uint tf32_rest(float value, uint high) {
  return value == as_float(high) ? 0 : as_uint(value - as_float(high));
}

inline void mma_tf32(float* c, const uint* a, const uint* b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

inline void mma_f16(float* c, const uint* a, const uint* b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Waits until all groups have come here; what they wrote before can then be read. The count goes
// round in two runs, so that none needs to reset it.
inline void wait_for_all(global uint* arrivals, uint groups) {
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  if (get_local_id(0) == 0) {
    uint before, now;
    asm volatile("fence.acq_rel.gpu; atom.inc.relaxed.gpu.global.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "l"(arrivals), "r"(2 * groups - 1)
                 : "memory");
    do {
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(arrivals) : "memory");
    } while ((now >= groups) != (before < groups));
  }
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
}

inline void shrink(global const elem* x, long ld_x, global const elem* a, int ld_a,
                   global float* h, int ld_h, local float* stage, int m, int k, int rank,
                   int panels, int slices, int slice_pieces, const int aligned) {
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int g = lane / 4;
  const int q = lane % 4;
  const long units = ((long)m + 16 * ROW_TILES - 1) / (16 * ROW_TILES) * panels * slices;
  for (long unit = get_group_id(0); unit < units; unit += get_num_groups(0)) {
    const int slice = (int)(unit % slices);
    const int panel = (int)(unit / slices % panels);
    const long row0 = unit / slices / panels * (16 * ROW_TILES);
    const long end = min((long)k, ((long)slice + 1) * slice_pieces * PIECE);
    float sum[ROW_TILES][RANK_TILES][4];
#pragma unroll
    for (int i = 0; i < ROW_TILES * RANK_TILES * 4; ++i) (&sum[0][0][0])[i] = 0.0f;

    for (long i0 = ((long)slice * slice_pieces + warp) * PIECE + q * UNIT; i0 - q * UNIT < end;
         i0 += PIECES * WARPS * PIECE) {
      uint xs[PIECES][ROW_TILES][2][4];
      uint as[PIECES][RANK_TILES][4];
#pragma unroll
      for (int p = 0; p < PIECES; ++p) {
        const long i = i0 + p * WARPS * PIECE;
        const long left = end - i;
#pragma unroll
        for (int t = 0; t < ROW_TILES * 2; ++t) {
          const long row = row0 + t * 8 + g;
          vstore4(load_unit(x + row * ld_x + i, row < m ? left : 0, aligned), 0, xs[p][t / 2][t % 2]);
        }
#pragma unroll
        for (int t = 0; t < RANK_TILES; ++t) {
          const int j = (panel * RANK_TILES + t) * 8 + g;
          const uint4 bits = j < rank && left > 0 ? *(global const uint4*)(a + (long)j * ld_a + i)
                                                  : (uint4)(0);
          vstore4(bits, 0, as[p][t]);
        }
      }
#pragma unroll
      for (int p = 0; p < PIECES; ++p) {
#pragma unroll
        for (int step = 0; step < 2; ++step) {
          uint xf[ROW_TILES][4];
#if !F16
          uint x_rest[ROW_TILES][4];
#endif
#pragma unroll
          for (int t = 0; t < ROW_TILES; ++t) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              const uint bits = xs[p][t][e % 2][2 * step + e / 2];
#if F16
              xf[t][e] = bits;
#else
              xf[t][e] = tf32(as_float(bits));
              x_rest[t][e] = tf32_rest(as_float(bits), xf[t][e]);
#endif
            }
          }
#pragma unroll
          for (int j = 0; j < RANK_TILES; ++j) {
#if F16
#pragma unroll
            for (int t = 0; t < ROW_TILES; ++t) mma_f16(sum[t][j], xf[t], &as[p][j][2 * step]);
#else
            uint af[2], a_rest[2];
#pragma unroll
            for (int e = 0; e < 2; ++e) {
              const float value = as_float(as[p][j][2 * step + e]);
              af[e] = tf32(value);
              a_rest[e] = tf32_rest(value, af[e]);
            }
#pragma unroll
            for (int t = 0; t < ROW_TILES; ++t) {
              mma_tf32(sum[t][j], x_rest[t], af);
              mma_tf32(sum[t][j], xf[t], a_rest);
              mma_tf32(sum[t][j], xf[t], af);
            }
#endif
          }
        }
      }
    }

    // Of each 16 x 8 tile a lane holds two neighbours of row g and two of row g + 8.
#pragma unroll
    for (int t = 0; t < ROW_TILES; ++t) {
      barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
      for (int j = 0; j < RANK_TILES; ++j) {
        vstore4(vload4(0, sum[t][j]), (warp * RANK_TILES + j) * 32 + lane, stage);
      }
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int i = (int)get_local_id(0); i < RANK_TILES * 32; i += WG) {
        float4 total = vload4(i, stage);
#pragma unroll
        for (int w = 1; w < WARPS; ++w) total += vload4(w * RANK_TILES * 32 + i, stage);
        const long row = row0 + t * 16 + i % 32 / 4;
        const int column = (panel * RANK_TILES + i / 32) * 8 + i % 4 * 2;
        global float* out = h + ((long)slice * m + row) * ld_h + column;
        if (column >= rank) total.s02 = 0.0f;  // not NaN: 0 times an infinity of x
        if (column + 1 >= rank) total.s13 = 0.0f;
        if (row < m) vstore2(total.s01, 0, out);
        if (row + 8 < m) vstore2(total.s23, 0, out + 8 * ld_h);
      }
    }
  }
}

// COLUMN_TILES neighbours of a panel's row.
inline void get_columns(global const elem* p, float* values) {
#if COLUMN_TILES == 1
  values[0] = LOAD(p);
#else
#pragma unroll
  for (int i = 0; i < COLUMN_TILES; i += COLUMNS_WIDTH) {
    uint bits[4];
    get_bits((global const uint*)(p + i), bits, COLUMNS_WORDS);
    widen(bits, values + i, COLUMNS_WORDS);
  }
#endif
}

// Adds up the slices of h, for 16 * OUT_TILES rows and RANK_CHUNKS from rank0 on, and leaves each
// lane's share of it in local memory: the values' first bits, then the rests.
inline void stage_h(const global float* h, int ld_h, local uint* stage, long row0, int rank0, int m,
                    int slices) {
  const int item = (int)get_local_id(0);
#pragma unroll
  for (int first = 0; first < STAGED; first += WG) {
    const int i = first + item;
    const long row = row0 + i / 32 / RANK_CHUNKS * 8 + i % 32 / 4;
    const int j = rank0 + (i / 32 % RANK_CHUNKS * 4 + i % 4) * RANKS_A_LANE;
    FLOATS(RANKS_A_LANE) total = 0.0f;
    if (row < m && j < ld_h && i < STAGED) {
      const global float* partial = h + row * ld_h + j;
#pragma unroll 4
      for (int s = 0; s < slices; ++s) total += GET(RANKS_A_LANE, partial + (long)s * m * ld_h);
    }
    float values[RANKS_A_LANE];
    uint high[RANKS_A_LANE], rest[RANKS_A_LANE];
    PUT(RANKS_A_LANE, total, values);
#pragma unroll
    for (int e = 0; e < RANKS_A_LANE; ++e) {
      high[e] = tf32(values[e]);
      rest[e] = tf32_rest(values[e], high[e]);
    }
    if (STAGED % WG == 0 || i < STAGED) {
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, high), stage + i * RANKS_A_LANE);
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, rest), stage + (STAGED + i) * RANKS_A_LANE);
    }
  }
}

inline void expand(const global float* h, int ld_h, global const elem* b, global elem* y, long ld_y,
                   local uint* stage, float scale, int m, int n, int rank, int slices,
                   const int aligned) {
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int g = lane / 4;
  const int q = lane % 4;
  const int column_groups = (n - 1) / (WARPS * PANEL) + 1;
  const long units = ((long)m + 16 * OUT_TILES - 1) / (16 * OUT_TILES) * column_groups;
  for (long unit = get_group_id(0); unit < units; unit += get_num_groups(0)) {
    const long row0 = unit / column_groups * (16 * OUT_TILES);
    const long column0 = (unit % column_groups * WARPS + warp) * PANEL;
    const long column = column0 + q * LANE_COLUMNS;
    const int columns = (int)clamp((long)n - column, 0L, (long)LANE_COLUMNS);
    const int wide = aligned && columns == LANE_COLUMNS;
    uint before[OUT_TILES * 2][LANE_WORDS];  // y, on its way while the sums are made
#if ACCUMULATE
#pragma unroll
    for (int t = 0; t < OUT_TILES * 2; ++t) {
      const long row = row0 + t * 8 + g;
      if (wide && row < m) {
#pragma unroll
        for (int i = 0; i < LANE_WORDS; i += WORDS) {
          get_bits((global const uint*)(y + row * ld_y + column) + i, &before[t][i], WORDS);
        }
      }
    }
#endif
    float sum[OUT_TILES][COLUMN_TILES][4];
#pragma unroll
    for (int i = 0; i < OUT_TILES * COLUMN_TILES * 4; ++i) (&sum[0][0][0])[i] = 0.0f;

    const global elem* panel = b + column0 * rank + g * COLUMN_TILES;
    for (int rank0 = 0; rank0 < ld_h; rank0 += RANK_CHUNKS * 4 * RANKS_A_LANE) {
      barrier(CLK_LOCAL_MEM_FENCE);
      stage_h(h, ld_h, stage, row0, rank0, m, slices);
      barrier(CLK_LOCAL_MEM_FENCE);
      if (column0 >= n) continue;
#pragma unroll
      for (int chunk = 0; chunk < RANK_CHUNKS; ++chunk) {
        const int j0 = rank0 + (chunk * 4 + q) * RANKS_A_LANE;
        float bs[RANKS_A_LANE][COLUMN_TILES];
#pragma unroll
        for (int j = 0; j < RANKS_A_LANE; ++j) {
#pragma unroll
          for (int c = 0; c < COLUMN_TILES; ++c) bs[j][c] = 0.0f;
          if (j0 + j < rank) get_columns(panel + (long)(j0 + j) * PANEL, bs[j]);
        }
        uint high[OUT_TILES * 2][RANKS_A_LANE], rest[OUT_TILES * 2][RANKS_A_LANE];
#pragma unroll
        for (int t = 0; t < OUT_TILES * 2; ++t) {
          const int i = (t * RANK_CHUNKS + chunk) * 32 + lane;
          PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + i * RANKS_A_LANE), high[t]);
          PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + (STAGED + i) * RANKS_A_LANE), rest[t]);
        }
#pragma unroll
        for (int step = 0; step < RANKS_A_LANE / 2; ++step) {
#pragma unroll
          for (int c = 0; c < COLUMN_TILES; ++c) {
            uint bf[2];
#if !F16
            uint b_rest[2];
#endif
#pragma unroll
            for (int e = 0; e < 2; ++e) {
              const float value = bs[2 * step + e][c];
#if F16
              bf[e] = as_uint(value);
#else
              bf[e] = tf32(value);
              b_rest[e] = tf32_rest(value, bf[e]);
#endif
            }
#pragma unroll
            for (int t = 0; t < OUT_TILES; ++t) {
              const uint hf[4] = {high[2 * t][2 * step], high[2 * t + 1][2 * step],
                                  high[2 * t][2 * step + 1], high[2 * t + 1][2 * step + 1]};
              const uint h_rest[4] = {rest[2 * t][2 * step], rest[2 * t + 1][2 * step],
                                      rest[2 * t][2 * step + 1], rest[2 * t + 1][2 * step + 1]};
              mma_tf32(sum[t][c], h_rest, bf);
#if !F16
              mma_tf32(sum[t][c], hf, b_rest);
#endif
              mma_tf32(sum[t][c], hf, bf);
            }
          }
        }
      }
    }

#pragma unroll
    for (int t = 0; t < OUT_TILES * 2; ++t) {
      const long row = row0 + t * 8 + g;
      if (row >= m) continue;
      float values[LANE_COLUMNS];
#pragma unroll
      for (int c = 0; c < COLUMN_TILES; ++c) {
        values[c] = scale * sum[t / 2][c][t % 2 * 2];
        values[COLUMN_TILES + c] = scale * sum[t / 2][c][t % 2 * 2 + 1];
      }
      global elem* out = y + row * ld_y + column;
      if (wide) {
#pragma unroll
        for (int i = 0; i < LANE_COLUMNS; i += WIDTH) {
#if ACCUMULATE
          float old[WIDTH];
          widen(&before[t][i / WIDTH * WORDS], old, WORDS);
#pragma unroll
          for (int e = 0; e < WIDTH; ++e) values[i + e] += old[e];
#endif
          put_wide(out + i, values + i, WORDS);
        }
      } else {
#pragma unroll
        for (int i = 0; i < LANE_COLUMNS; ++i) {
#if ACCUMULATE
          if (i < columns) STORE(LOAD(out + i) + values[i], out + i);
#else
          if (i < columns) STORE(values[i], out + i);
#endif
        }
      }
    }
  }
}

// Loads the line of 128 bytes, so that it will be close, and waits for nothing.
inline void touch(global const void* p) {
  uint unused;
  asm volatile("ld.global.u8 %0, [%1];" : "=r"(unused) : "l"(p));
}

// What the group's first part of expand needs besides h, on its way while the group waits.
inline void touch_operands(global const elem* b, global const elem* y, long ld_y, int m, int n,
                           int rank) {
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int column_groups = (n - 1) / (WARPS * PANEL) + 1;
  const long row0 = (long)(get_group_id(0) / column_groups) * (16 * OUT_TILES);
  const long column0 = ((long)(get_group_id(0) % column_groups) * WARPS + warp) * PANEL;
  if (column0 >= n || row0 >= m) return;
  global const char* panel = (global const char*)(b + column0 * rank);
  for (int i = lane * 128; i < rank * PANEL * (int)sizeof(elem); i += 32 * 128) touch(panel + i);
#if ACCUMULATE
  for (int i = lane; i < min((long)m - row0, 16L * OUT_TILES); i += 32) {
    touch(y + (row0 + i) * ld_y + column0);
#if COLUMN_TILES == 8 && !F16
    if (column0 + 32 < n) touch(y + (row0 + i) * ld_y + column0 + 32);
#endif
  }
#endif
}

#define SHRINK_STAGE (WARPS * RANK_TILES * 128)
#define EXPAND_STAGE (2 * STAGED * RANKS_A_LANE)

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor(
    global const elem* restrict x, long off_x, long ld_x, global const elem* restrict a,
    global const elem* restrict b, global elem* restrict y, long off_y, long ld_y, float scale,
    int m, int k, int n, int rank, global float* scratch, int slice_pieces) {
  // Sums of the warps in shrink; then h, two words a value.
  local uint stage[SHRINK_STAGE > EXPAND_STAGE ? SHRINK_STAGE : EXPAND_STAGE];
  global float* h = scratch + 32;
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
  touch_operands(b, y, ld_y, m, n, rank);
  wait_for_all((global uint*)scratch, (uint)get_num_groups(0));
  if ((((ulong)y | (ulong)(ld_y * sizeof(elem))) & (WIDTH * sizeof(elem) - 1)) == 0) {
    expand(h, ld_h, b, y, ld_y, stage, scale, m, n, rank, slices, 1);
  } else {
    expand(h, ld_h, b, y, ld_y, stage, scale, m, n, rank, slices, 0);
  }
}
