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

#include "common.clh"

#define WG (32 * WARPS)
#define UNIT (16 / (int)sizeof(elem))  // elements of a lane's load
#define PIECE (4 * UNIT)
#define PANEL (8 * COLUMN_TILES)
#define LANE_COLUMNS (2 * COLUMN_TILES)
#if COLUMN_TILES == 1
#define WIDTH 2  // of a load or store of y
#elif COLUMN_TILES == 2 || !F16
#define WIDTH 4
#else
#define WIDTH 8
#endif
#if F16
#define COLUMN_WORDS ((COLUMN_TILES + 1) / 2)  // of 32 bits that COLUMN_TILES elements take
#define B_WORDS (RANKS_A_LANE / 2)             // that a column of B's share takes
#else
#define COLUMN_WORDS COLUMN_TILES
#define B_WORDS RANKS_A_LANE
#endif
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
inline uint pack(float low, float high) {
  uint bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
inline void put_wide(global elem* p, const float* values, int words) {
  uint bits[4];
#pragma unroll
  for (int i = 0; i < words; ++i) bits[i] = pack(values[2 * i], values[2 * i + 1]);
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

// A value's first 11 bits, and what is behind them, of which the instruction takes 11 again: of an
// infinity nothing.
inline uint tf32(float value) { return as_uint(value) & 0xffffe000u; }
inline float rest_of(float value, float high) { return value == high ? 0.0f : value - high; }
inline uint tf32_rest(float value, uint high) { return as_uint(rest_of(value, as_float(high))); }

// 2^-14 of the power of two at or below the magnitude; 1 for what has none.
inline float row_scale(uint bits) {
  const uint power = bits & 0x7f800000u;
  return power == 0 || power == 0x7f800000u ? 1.0f
                                            : as_float(max(power, 0x0d800000u) - (14u << 23));
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

inline void mma_f16_k8(float* c, const uint* a, uint b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b));
}

// All groups wait for one another by a count of arrivals, which goes round once in two runs, so that
// none needs to reset it. It is below `groups` until the last group of this run arrives, or from
// `groups` on: a group reads which of the two before it arrives itself.
inline uint round_of(global const uint* arrivals, uint groups) {
  uint count;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(count) : "l"(arrivals) : "memory");
  return count >= groups;
}

// What the group wrote before can be read by those that saw it arrive.
inline void arrive(global uint* arrivals, uint groups) {
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  if (get_local_id(0) == 0) {
    asm volatile("fence.acq_rel.gpu; red.relaxed.gpu.global.inc.u32 [%0], %1;"
                 :
                 : "l"(arrivals), "r"(2 * groups - 1)
                 : "memory");
  }
}

inline void wait_for_all(global uint* arrivals, uint groups, uint round) {
  if (get_local_id(0) == 0) {
    uint count;
    do {
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(count) : "l"(arrivals) : "memory");
    } while ((count >= groups) == round);
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
          const uint4 bits = load_unit(x + row * ld_x + i, row < m ? left : 0, aligned);
          vstore4(bits, 0, xs[p][t / 2][t % 2]);
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

// COLUMN_TILES neighbours of a panel's row, as bits.
inline void get_columns(global const elem* p, uint* bits) {
#if COLUMN_TILES == 1
#if F16
  bits[0] = *(global const ushort*)p;
#else
  bits[0] = *(global const uint*)p;
#endif
#else
#pragma unroll
  for (int i = 0; i < COLUMN_WORDS; i += COLUMN_WORDS > 4 ? 4 : COLUMN_WORDS) {
    get_bits((global const uint*)p + i, bits + i, COLUMN_WORDS > 4 ? 4 : COLUMN_WORDS);
  }
#endif
}

// A lane's share of h for 16 * OUT_TILES rows: RANKS_A_LANE values each of ITEMS rows and chunks.
#define STAGED (OUT_TILES * 2 * RANK_CHUNKS * 32)
#define ITEMS ((STAGED + WG - 1) / WG)

// Starts the loads of the share: of one slice, so that nothing waits for them here, or adds up
// several.
inline void load_h(const global float* h, int ld_h, FLOATS(RANKS_A_LANE) * values, long row0,
                   int rank0, int m, int slices) {
#pragma unroll
  for (int item = 0; item < ITEMS; ++item) {
    const int i = item * WG + (int)get_local_id(0);
    const long row = row0 + i / 32 / RANK_CHUNKS * 8 + i % 32 / 4;
    const int j = rank0 + (i / 32 % RANK_CHUNKS * 4 + i % 4) * RANKS_A_LANE;
    values[item] = 0.0f;
    if (row < m && j < ld_h && i < STAGED) {
      typedef const global FLOATS(RANKS_A_LANE) * share;
      const share partial = (share)(h + row * ld_h + j);
      const long next = (long)m * ld_h / RANKS_A_LANE;
      values[item] = partial[0];
      if (slices > 1) {
        FLOATS(RANKS_A_LANE) total = 0.0f;
#pragma unroll 4
        for (int s = 1; s < slices; ++s) total += partial[s * next];
        values[item] += total;
      }
    }
  }
}

#if F16
// h goes in as the sum of two halves, scaled by a power of two for each row: the largest value of
// the row has 2^15 at most then, so one of 2^-17 of that still has its 22 bits.
#define SHARE_WORDS RANKS_A_LANE
#define SCALES (16 * OUT_TILES)  // words of `scales`

// Of the two arrays of `scales` that take turns one holds each row's largest magnitude, as bits; the
// other is made ready.
inline void put_h(const FLOATS(RANKS_A_LANE) * shares, local uint* stage, local uint* scales, int turn) {
  local uint* largest = scales + turn * SCALES;
  float values[ITEMS * RANKS_A_LANE];
#pragma unroll
  for (int item = 0; item < ITEMS; ++item) PUT(RANKS_A_LANE, shares[item], values + item * RANKS_A_LANE);
#pragma unroll
  for (int item = 0; item < ITEMS; ++item) {
    const int i = item * WG + (int)get_local_id(0);
    uint bits = 0;
#pragma unroll
    for (int e = 0; e < RANKS_A_LANE; ++e) {
      bits = max(bits, as_uint(values[item * RANKS_A_LANE + e]) & 0x7fffffffu);
    }
    if (i < STAGED) atomic_max(largest + i / 32 / RANK_CHUNKS * 8 + i % 32 / 4, bits);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = (int)get_local_id(0); i < SCALES; i += WG) scales[(1 - turn) * SCALES + i] = 0;
#pragma unroll
  for (int item = 0; item < ITEMS; ++item) {
    const int i = item * WG + (int)get_local_id(0);
    if (i >= STAGED) break;
    const float down = 1.0f / row_scale(largest[i / 32 / RANK_CHUNKS * 8 + i % 32 / 4]);
    uint share[SHARE_WORDS];
#pragma unroll
    for (int e = 0; e < RANKS_A_LANE / 2; ++e) {
      const float scaled[2] = {values[item * RANKS_A_LANE + 2 * e] * down,
                               values[item * RANKS_A_LANE + 2 * e + 1] * down};
      float high[2];
      share[e] = pack(scaled[0], scaled[1]);
      widen(&share[e], high, 1);
      share[RANKS_A_LANE / 2 + e] = pack(rest_of(scaled[0], high[0]), rest_of(scaled[1], high[1]));
    }
    PUT(SHARE_WORDS, GET(SHARE_WORDS, share), stage + i * SHARE_WORDS);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}
#else
#define SHARE_WORDS (2 * RANKS_A_LANE)
inline void put_h(const FLOATS(RANKS_A_LANE) * shares, local uint* stage, local uint* scales, int turn) {
#pragma unroll
  for (int item = 0; item < ITEMS; ++item) {
    const int i = item * WG + (int)get_local_id(0);
    if (i >= STAGED) break;
    float values[RANKS_A_LANE];
    PUT(RANKS_A_LANE, shares[item], values);
#pragma unroll
    for (int e = 0; e < RANKS_A_LANE; ++e) {
      const float value = values[e];
      const uint high = tf32(value);
      // The shares of the lanes of a warp stand side by side, in runs of 16 bytes or 8.
      stage[i * RANKS_A_LANE + e] = high;
      stage[(STAGED + i) * RANKS_A_LANE + e] = tf32_rest(value, high);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}
#endif

// A warp's share of B, for RANK_CHUNKS from rank0 on: pairs of halves, or floats.
inline void load_b(global const elem* panel, uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES],
                   int rank0, int rank) {
  const int q = (int)get_local_id(0) % 4;
#pragma unroll
  for (int chunk = 0; chunk < RANK_CHUNKS; ++chunk) {
    const int j0 = rank0 + (chunk * 4 + q) * RANKS_A_LANE;
    uint rows[RANKS_A_LANE][COLUMN_WORDS];
#pragma unroll
    for (int j = 0; j < RANKS_A_LANE; ++j) {
#pragma unroll
      for (int w = 0; w < COLUMN_WORDS; ++w) rows[j][w] = 0;
      if (j0 + j < rank) get_columns(panel + (long)(j0 + j) * PANEL, rows[j]);
    }
#pragma unroll
    for (int c = 0; c < COLUMN_TILES; ++c) {
#pragma unroll
      for (int w = 0; w < B_WORDS; ++w) {
#if F16
        const uint low = rows[2 * w][c / 2], high = rows[2 * w + 1][c / 2];
        bs[chunk][w][c] =
            c % 2 == 0 ? (low & 0xffffu) | high << 16 : low >> 16 | (high & 0xffff0000u);
#else
        bs[chunk][w][c] = rows[w][c];
#endif
      }
    }
  }
}

// The product of the staged part of h and the warp's B, added to the sums.
inline void multiply(local const uint* stage, uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES],
                     float sum[OUT_TILES][COLUMN_TILES][4]) {
  const int lane = (int)get_local_id(0) % 32;
#pragma unroll
  for (int chunk = 0; chunk < RANK_CHUNKS; ++chunk) {
#pragma unroll
    for (int t = 0; t < OUT_TILES; ++t) {
      const int i = (2 * t * RANK_CHUNKS + chunk) * 32 + lane;
      const int below = i + RANK_CHUNKS * 32;  // of the row eight further down
#if F16
      uint top[SHARE_WORDS], bottom[SHARE_WORDS];
      PUT(SHARE_WORDS, GET(SHARE_WORDS, stage + i * SHARE_WORDS), top);
      PUT(SHARE_WORDS, GET(SHARE_WORDS, stage + below * SHARE_WORDS), bottom);
#pragma unroll
      for (int c = 0; c < COLUMN_TILES; ++c) {
#if RANKS_A_LANE == 4
        const uint h_high[4] = {top[0], bottom[0], top[1], bottom[1]};
        const uint h_rest[4] = {top[2], bottom[2], top[3], bottom[3]};
        const uint weights[2] = {bs[chunk][0][c], bs[chunk][1][c]};
        mma_f16(sum[t][c], h_rest, weights);
        mma_f16(sum[t][c], h_high, weights);
#else
        const uint h_high[2] = {top[0], bottom[0]};
        const uint h_rest[2] = {top[1], bottom[1]};
        mma_f16_k8(sum[t][c], h_rest, bs[chunk][0][c]);
        mma_f16_k8(sum[t][c], h_high, bs[chunk][0][c]);
#endif
      }
#else
      uint high[2][RANKS_A_LANE], rest[2][RANKS_A_LANE];
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + i * RANKS_A_LANE), high[0]);
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + below * RANKS_A_LANE), high[1]);
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + (STAGED + i) * RANKS_A_LANE), rest[0]);
      PUT(RANKS_A_LANE, GET(RANKS_A_LANE, stage + (STAGED + below) * RANKS_A_LANE), rest[1]);
#pragma unroll
      for (int step = 0; step < RANKS_A_LANE / 2; ++step) {
        const uint h_high[4] = {high[0][2 * step], high[1][2 * step], high[0][2 * step + 1],
                                high[1][2 * step + 1]};
        const uint h_rest[4] = {rest[0][2 * step], rest[1][2 * step], rest[0][2 * step + 1],
                                rest[1][2 * step + 1]};
#pragma unroll
        for (int c = 0; c < COLUMN_TILES; ++c) {
          uint b_high[2], b_rest[2];
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            const float value = as_float(bs[chunk][2 * step + e][c]);
            b_high[e] = tf32(value);
            b_rest[e] = tf32_rest(value, b_high[e]);
          }
          mma_tf32(sum[t][c], h_rest, b_high);
          mma_tf32(sum[t][c], h_high, b_rest);
          mma_tf32(sum[t][c], h_high, b_high);
        }
      }
#endif
    }
  }
}

// A lane's columns of the rows of a tile of y, on their way while the sums are made.
inline void load_y(global const elem* y, long ld_y, long row0, int m, int wide,
                   uint before[OUT_TILES * 2][LANE_WORDS]) {
#if ACCUMULATE
#pragma unroll
  for (int t = 0; t < OUT_TILES * 2; ++t) {
    const long row = row0 + t * 8 + (int)get_local_id(0) % 32 / 4;
    if (wide && row < m) {
#pragma unroll
      for (int i = 0; i < LANE_WORDS; i += WORDS) {
        get_bits((global const uint*)(y + row * ld_y) + i, &before[t][i], WORDS);
      }
    }
  }
#endif
}

// How expand is shared out: a task is WARPS * PANEL columns and a part of the row tiles, so that a
// warp's B stays in registers over all rows of the part.
typedef struct {
  int column_groups;
  long tiles, parts;
} tasks;

inline tasks cut_tasks(int m, int n) {
  tasks cut;
  cut.column_groups = (n - 1) / (WARPS * PANEL) + 1;
  cut.tiles = ((long)m + 16 * OUT_TILES - 1) / (16 * OUT_TILES);
  cut.parts = clamp((long)get_num_groups(0) / cut.column_groups, 1L, cut.tiles);
  return cut;
}

inline void expand(const global float* h, int ld_h, global const elem* b, global elem* y, long ld_y,
                   local uint* stage, local uint* scales, global uint* arrivals, uint round,
                   float scale, int m, int n, int rank, int slices, const int aligned) {
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int g = lane / 4;
  const int q = lane % 4;
  const int rank_step = RANK_CHUNKS * 4 * RANKS_A_LANE;
  const tasks cut = cut_tasks(m, n);
  int turn = 0;
#if F16
  for (int i = (int)get_local_id(0); i < SCALES; i += WG) scales[i] = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  for (long task = get_group_id(0); task < cut.column_groups * cut.parts;
       task += get_num_groups(0)) {
    const long part = task / cut.column_groups;
    const long first = part * cut.tiles / cut.parts;
    const long last = (part + 1) * cut.tiles / cut.parts;
    const long column0 = (task % cut.column_groups * WARPS + warp) * PANEL;
    const long column = column0 + q * LANE_COLUMNS;
    const int columns = (int)clamp((long)n - column, 0L, (long)LANE_COLUMNS);
    const int wide = aligned && columns == LANE_COLUMNS;
    const int idle = column0 >= n;
    const global elem* panel = b + column0 * rank + g * COLUMN_TILES;
    uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES];
    uint before[OUT_TILES * 2][LANE_WORDS];
    FLOATS(RANKS_A_LANE) values[ITEMS];
    // What does not depend on h comes while the group waits for it: into registers, since the wait
    // empties the cache.
    if (!idle) load_b(panel, bs, 0, rank);
    load_y(y + column, ld_y, first * 16 * OUT_TILES, m, wide, before);
    if (task == get_group_id(0)) wait_for_all(arrivals, (uint)get_num_groups(0), round);
    load_h(h, ld_h, values, first * 16 * OUT_TILES, 0, m, slices);

    for (long tile = first; tile < last; ++tile) {
      const long row0 = tile * 16 * OUT_TILES;
      float sum[OUT_TILES][COLUMN_TILES][4];
      float up[OUT_TILES * 2];
#pragma unroll
      for (int t = 0; t < OUT_TILES * 2; ++t) {
        up[t] = 1.0f;
#pragma unroll
        for (int i = 0; i < COLUMN_TILES * 2; ++i) (&sum[0][0][0])[t * COLUMN_TILES * 2 + i] = 0.0f;
      }
      for (int rank0 = 0; rank0 < ld_h; rank0 += rank_step) {
        put_h(values, stage, scales, turn);
        // The next part of h comes while this one is used.
        const int more = rank0 + rank_step < ld_h;
        if (more || tile + 1 < last) {
          load_h(h, ld_h, values, more ? row0 : row0 + 16 * OUT_TILES, more ? rank0 + rank_step : 0,
                 m, slices);
        }
        if (!idle) {
          if (ld_h > rank_step && (rank0 > 0 || tile > first)) load_b(panel, bs, rank0, rank);
#if F16
          // Parts of h that were scaled otherwise: the sums so far follow.
#pragma unroll
          for (int t = 0; t < OUT_TILES * 2; ++t) {
            const float now = row_scale(scales[turn * SCALES + t * 8 + g]);
            if (rank0 > 0) {
              const float ratio = up[t] / now;
#pragma unroll
              for (int c = 0; c < COLUMN_TILES; ++c) {
                sum[t / 2][c][t % 2 * 2] *= ratio;
                sum[t / 2][c][t % 2 * 2 + 1] *= ratio;
              }
            }
            up[t] = now;
          }
#endif
          multiply(stage, bs, sum);
        }
        turn = 1 - turn;
        barrier(CLK_LOCAL_MEM_FENCE);
      }

#pragma unroll
      for (int t = 0; t < OUT_TILES * 2; ++t) {
        const long row = row0 + t * 8 + g;
        if (row >= m) continue;
        float out[LANE_COLUMNS];
#pragma unroll
        for (int c = 0; c < COLUMN_TILES; ++c) {
          out[c] = scale * up[t] * sum[t / 2][c][t % 2 * 2];
          out[COLUMN_TILES + c] = scale * up[t] * sum[t / 2][c][t % 2 * 2 + 1];
        }
        global elem* place = y + row * ld_y + column;
        if (wide) {
#pragma unroll
          for (int i = 0; i < LANE_COLUMNS; i += WIDTH) {
#if ACCUMULATE
            float old[WIDTH];
            widen(&before[t][i / WIDTH * WORDS], old, WORDS);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) out[i + e] += old[e];
#endif
            put_wide(place + i, out + i, WORDS);
          }
        } else {
#pragma unroll
          for (int i = 0; i < LANE_COLUMNS; ++i) {
#if ACCUMULATE
            if (i < columns) STORE(LOAD(place + i) + out[i], place + i);
#else
            if (i < columns) STORE(out[i], place + i);
#endif
          }
        }
      }
      if (tile + 1 < last) load_y(y + column, ld_y, row0 + 16 * OUT_TILES, m, wide, before);
    }
  }
}

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
