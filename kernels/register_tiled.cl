// register_tiled: one launch for the vector units of a CPU. A work-group is one work-item, so one
// thread's loop, on BLOCK_ROWS rows. First h = x A^T of all its rows, kept in private memory, a
// tile of ROWS rows by RANK_TILE ranks in registers at a time. The vectors of a tile run along k
// (K_LANES 16: each element of h is a dot product whose 16 lanes are added up at the end, right for
// low ranks) or along the ranks (K_LANES 1: an outer product for each element of k, which loads
// less for each product at high ranks). Then y, in tiles of rows by COLUMN_VECS vectors of 16
// columns, an outer product a rank. Few rows give few groups: BLOCK_N cuts the columns too, and
// each group of a row block computes the h of its module again.
// A and B are float whatever x and y are: each of their elements is used for every few rows, and to
// convert it each time takes longer than the products.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  K_LANES 1: panels of RANK_TILE ranks: (j / RANK_TILE * k + i) * RANK_TILE
//              + j % RANK_TILE
//              K_LANES 16: blocks: ((j / RANK_TILE * ceil(k / 16) + i / 16) * RANK_TILE
//              + j % RANK_TILE) * 16 + i % 16
//   B[n,rank]  panels of COLUMNS: (column / COLUMNS * RANK + j) * COLUMNS + column % COLUMNS
//   y[m,n]     off_y + row * ld_y + column

#ifndef RANK
#define RANK 8  // the rank
#endif
#ifndef K_LANES
#define K_LANES 16  // elements of k in a vector: 1 or 16
#endif
#ifndef ROWS
#define ROWS 4  // rows of a register tile of h
#endif
#ifndef RANK_TILE
#define RANK_TILE 4  // ranks of it, a multiple of 16 / K_LANES
#endif
#ifndef COLUMN_VECS
#define COLUMN_VECS 4  // vectors of 16 columns in a register tile of y
#endif
#ifndef BLOCK_ROWS
#define BLOCK_ROWS 24  // rows of a work-group, a multiple of ROWS
#endif
#define LANES 16
#define MAX_VECS 24  // of sums in registers, of the 32 that AVX-512 has; 16 for h with K_LANES 16
#define RANK_TILES ((RANK + RANK_TILE - 1) / RANK_TILE)
#define RANK_PADDED (RANK_TILES * RANK_TILE)
#define COLUMNS (COLUMN_VECS * LANES)
// Rows of a register tile of y: they divide ROWS.
#define Y_ROWS                                                     \
  (ROWS * COLUMN_VECS <= MAX_VECS         ? ROWS                   \
   : ROWS % (MAX_VECS / COLUMN_VECS) == 0 ? MAX_VECS / COLUMN_VECS \
                                          : 16 / COLUMN_VECS)
#define B_BLOCK_FLOATS 131072  // of B that go by all rows of a group before the next
#define B_BLOCK_TILES (B_BLOCK_FLOATS / (RANK * COLUMNS) + 1)

#define UNROLL (ROWS * RANK_TILE / LANES < MAX_VECS ? 4 : 2)  // of k, with K_LANES 1
#define STRETCH (NARROW ? 128 : 0x7fffffff)  // of k, that K_LANES 1 takes at a time

#include "storage.clh"

#define WEIGHTS(p) (*(const global float16*)(p))

// Rows of a tile stand one below the other, or, of an adapter of a pool, where a list says.
#if ADAPTERS
#define LIST , const global int* list
#define PASS_LIST(list) , list
#define LISTED(r) ((long)list[r])
#define FROM_ROW(tensor, pitch, block, r) (tensor)
#define TILES_OF(rank) (((rank) + RANK_TILE - 1) / RANK_TILE)
#define RANKS(rank) (rank)
#else
#define LIST
#define PASS_LIST(list)
#define LISTED(r) (r)
#define FROM_ROW(tensor, pitch, block, r) ((tensor) + ROW(block, r) * (pitch))
#define TILES_OF(rank) RANK_TILES
#define RANKS(rank) RANK
#endif
// Row r of a tile of y; one past the end is the last one.
#define Y_ROW(r) (y + (ADAPTERS ? LISTED(min(r, rows - 1)) : LISTED(r)) * ld_y)

// One access; vload16 and vstore16 are several in some compilers.
#if BF16
typedef ushort16 __attribute__((aligned(2))) any_ushort16;
#undef ANY_bf16_16
#define ANY_bf16_16(p) WIDE_bf16(16, *(const global any_ushort16*)(p))
#undef STORE_bf16_16
#define STORE_bf16_16(v, p) (*(global any_ushort16*)(p) = round_bf16_16(v))
#elif !F16
typedef float16 __attribute__((aligned(4))) any_float16;
#undef STORE_f32_16
#define STORE_f32_16(v, p) (*(global any_float16*)(p) = (v))
#endif

// On its way while what is added to it is computed. The builtin wants a pointer to private memory.
#define FETCH(p) (void)0
#if ACCUMULATE && defined(__has_builtin)
#if __has_builtin(__builtin_prefetch)
#undef FETCH
#define FETCH(p) __builtin_prefetch((const void*)(size_t)(p), 1, 3)
#endif
#endif

// g: the factors of the columns, which stand at multiples of 16 floats.
#define GAIN(width, g) (*(const global FLOATS(width)*)(g))
#define PUT_OUT(width, v, p, g) \
  STORE_ANY(width, NEW_OUTPUT(LOAD_ANY(width, p), (v), GAIN(width, g)), p)

// Puts the first `count` < 16 lanes.
inline void put_part(global elem* p, const global float* g, int count, float16 value) {
  float part[LANES];
  vstore16(value, 0, part);
  int i = 0;
  if (count & 8) {
    PUT_OUT(8, vload8(0, part), p, g);
    i = 8;
  }
  if (count & 4) {
    PUT_OUT(4, vload4(0, part + i), p + i, g + i);
    i += 4;
  }
  if (count & 2) {
    PUT_OUT(2, vload2(0, part + i), p + i, g + i);
    i += 2;
  }
  if (count & 1) PUT_OUT(1, part[i], p + i, g + i);
}

#if K_LANES == 16

// The first `count` < 16 elements, zeros behind them.
inline float16 load_part(const global elem* p, int count) {
  float part[LANES];
  vstore16((float16)(0.0f), 0, part);
  int i = 0;
  if (count & 8) {
    vstore8(LOAD_ANY(8, p), 0, part);
    i = 8;
  }
  if (count & 4) {
    vstore4(LOAD_ANY(4, p + i), 0, part + i);
    i += 4;
  }
  if (count & 2) {
    vstore2(LOAD_ANY(2, p + i), 0, part + i);
    i += 2;
  }
  if (count & 1) part[i] = LOAD(p + i);
  return vload16(0, part);
}

// Two vectors whose lanes are added up in groups of 8, 4, 2 or 1 neighbours: one vector with the
// sums of halves of these groups, those of a before those of b. Four steps make of 16 vectors the
// one of their sums, in order.
#define SUM_8(a, b) ((float16)((a).lo, (b).lo) + (float16)((a).hi, (b).hi))
#define SUM_4(a, b) \
  ((float16)((a).s012389ab, (b).s012389ab) + (float16)((a).s4567cdef, (b).s4567cdef))
#define SUM_2(a, b) \
  ((float16)((a).s014589cd, (b).s014589cd) + (float16)((a).s2367abef, (b).s2367abef))
#define SUM_1(a, b) ((float16)((a).even, (b).even) + (float16)((a).odd, (b).odd))

// ROWS x RANK_TILE of h. Rows past the end read the last one. tails: what k leaves over.
inline void shrink_tile(const global elem* x, long ld_x, int rows, int k, const float* tails,
                        const global float* a, float* h LIST) {
  const global elem* x_rows[ROWS];
  float16 sum[16];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) x_rows[r] = x + LISTED(min(r, rows - 1)) * ld_x;
#pragma unroll
  for (int s = 0; s < 16; ++s) sum[s] = 0.0f;
  for (uint i = 0; i < (uint)k; i += LANES) {  // uint: i may step past 2^31
    float16 values[ROWS];
    if (i + LANES <= (uint)k) {
#pragma unroll
      for (int r = 0; r < ROWS; ++r) values[r] = LOAD_ANY(16, x_rows[r] + i);
    } else {
#pragma unroll
      for (int r = 0; r < ROWS; ++r) values[r] = vload16(r, tails);
    }
#pragma unroll
    for (int j = 0; j < RANK_TILE; ++j) {
      const float16 weights = WEIGHTS(a + (long)i * RANK_TILE + j * LANES);
#pragma unroll
      for (int r = 0; r < ROWS; ++r) sum[r * RANK_TILE + j] += values[r] * weights;
    }
  }
  float16 eights[8], fours[4], twos[2];
#pragma unroll
  for (int s = 0; s < 8; ++s) eights[s] = SUM_8(sum[2 * s], sum[2 * s + 1]);
#pragma unroll
  for (int s = 0; s < 4; ++s) fours[s] = SUM_4(eights[2 * s], eights[2 * s + 1]);
#pragma unroll
  for (int s = 0; s < 2; ++s) twos[s] = SUM_2(fours[2 * s], fours[2 * s + 1]);
  float sums[16];
  vstore16(SUM_1(twos[0], twos[1]), 0, sums);
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int j = 0; j < RANK_TILE; ++j) h[r * RANK_PADDED + j] = sums[r * RANK_TILE + j];
  }
}

// All of h of ROWS rows.
inline void shrink_rows(const global elem* x, long ld_x, int rows, int k, int rank,
                        const global float* a, float* h LIST) {
  const long tile_size = ((long)k + LANES - 1) / LANES * LANES * RANK_TILE;
  float tails[ROWS * LANES];
  for (int r = 0; r < ROWS && k % LANES > 0; ++r) {
    const global elem* end = x + LISTED(min(r, rows - 1)) * ld_x + k / LANES * LANES;
    vstore16(load_part(end, k % LANES), r, tails);
  }
  for (int t = 0; t < TILES_OF(rank); ++t) {
    shrink_tile(x, ld_x, rows, k, tails, a + t * tile_size, h + t * RANK_TILE PASS_LIST(list));
  }
}

#else

#if NARROW
// The first `count` elements of ROWS rows as floats.
inline void widen(const global elem* const* x_rows, int count, float* wide) {
  for (int r = 0; r < ROWS; ++r) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      vstore16(LOAD_ANY(16, x_rows[r] + i), 0, wide + r * STRETCH + i);
    }
    for (; i < count; ++i) wide[r * STRETCH + i] = LOAD(x_rows[r] + i);
  }
}
#define X_AT(r, i) wide[(r)*STRETCH + (i)]
#else
#define X_AT(r, i) x_rows[r][i]
#endif

// The same with vectors of ranks.
inline void shrink_tile(const global elem* x, long ld_x, int rows, int k, const global float* a,
                        float* h LIST) {
  const global elem* x_rows[ROWS];
  float16 sum[ROWS][RANK_TILE / LANES];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    x_rows[r] = x + LISTED(min(r, rows - 1)) * ld_x;
#pragma unroll
    for (int v = 0; v < RANK_TILE / LANES; ++v) sum[r][v] = 0.0f;
  }
  for (int left = k; left > 0; left -= min(left, STRETCH)) {
    const int count = min(left, STRETCH);
#if NARROW
    float wide[ROWS * STRETCH];
    widen(x_rows, count, wide);
#endif
#pragma unroll UNROLL
    for (int i = 0; i < count; ++i) {
      float16 weights[RANK_TILE / LANES];
#pragma unroll
      for (int v = 0; v < RANK_TILE / LANES; ++v) {
        weights[v] = WEIGHTS(a + (long)i * RANK_TILE + v * LANES);
      }
#pragma unroll
      for (int r = 0; r < ROWS; ++r) {
        const float value = X_AT(r, i);
#pragma unroll
        for (int v = 0; v < RANK_TILE / LANES; ++v) sum[r][v] += value * weights[v];
      }
    }
    a += (long)count * RANK_TILE;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) x_rows[r] += count;
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < RANK_TILE / LANES; ++v) vstore16(sum[r][v], v, h + r * RANK_PADDED);
  }
}

inline void shrink_rows(const global elem* x, long ld_x, int rows, int k, int rank,
                        const global float* a, float* h LIST) {
  for (int t = 0; t < TILES_OF(rank); ++t) {
    shrink_tile(x, ld_x, rows, k, a + (long)t * k * RANK_TILE, h + t * RANK_TILE PASS_LIST(list));
  }
}

#endif

// A register tile of y, of which the first `rows` and `columns` exist.
inline void expand(const float* h, int rank, const global float* b, global elem* y, long ld_y,
                   int rows, int columns, float scale, const global float* g LIST) {
  float16 sum[Y_ROWS][COLUMN_VECS];
#pragma unroll
  for (int r = 0; r < Y_ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < COLUMN_VECS; ++v) {
      sum[r][v] = 0.0f;
      if (v % (NARROW ? 2 : 1) == 0) FETCH(Y_ROW(r) + v * LANES);  // a cache line
    }
  }
#pragma unroll 4
  for (int j = 0; j < RANKS(rank); ++j) {
    float16 weights[COLUMN_VECS];
#pragma unroll
    for (int v = 0; v < COLUMN_VECS; ++v) {
      weights[v] = WEIGHTS(b + (long)j * COLUMNS + v * LANES);
    }
#pragma unroll
    for (int r = 0; r < Y_ROWS; ++r) {
      const float value = h[r * RANK_PADDED + j];
#pragma unroll
      for (int v = 0; v < COLUMN_VECS; ++v) sum[r][v] += value * weights[v];
    }
  }
  if (columns >= COLUMNS) {
#pragma unroll
    for (int r = 0; r < Y_ROWS; ++r) {
      if (r < rows) {
#pragma unroll
        for (int v = 0; v < COLUMN_VECS; ++v) {
          PUT_OUT(16, scale * sum[r][v], Y_ROW(r) + v * LANES, g + v * LANES);
        }
      }
    }
  } else {  // rolled loops: written out, the edge would be most of the code
    float edge[Y_ROWS * COLUMNS];
#pragma unroll
    for (int r = 0; r < Y_ROWS; ++r) {
#pragma unroll
      for (int v = 0; v < COLUMN_VECS; ++v) vstore16(sum[r][v], r * COLUMN_VECS + v, edge);
    }
#pragma unroll 1
    for (int r = 0; r < min(rows, Y_ROWS); ++r) {
      int column = 0;
#pragma unroll 1
      for (; column + LANES <= columns; column += LANES) {
        PUT_OUT(16, scale * vload16(0, edge + r * COLUMNS + column), Y_ROW(r) + column,
                g + column);
      }
      put_part(Y_ROW(r) + column, g + column, columns - column,
               scale * vload16(0, edge + r * COLUMNS + column));
    }
  }
}

typedef struct {
  long off_x, ld_x;
#if ADAPTERS
  Pool pool;
#endif
  Module modules[MODULES];
  int m, k, column_blocks;
} Call;

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void register_tiled(
    TENSORS(float) POOL, Call call) {
  FIND_TENSORS(float)
  const long group = (long)get_group_id(0);
  int column_block = (int)(group % call.column_blocks);
  const int which = find_module(call.modules, &column_block);
  const Module module = call.modules[which];
  const Block rows = FIND_BLOCK(call, which, group / call.column_blocks, BLOCK_ROWS, RANK);
  ab += rows.weights;
  global const float* restrict a = ab + module.off_a;
  global const float* restrict b = ab + module.off_b;
  const long ld_x = call.ld_x, ld_y = module.ld_y;
  const int k = call.k, n = module.n;
  const int block_tiles = module.block_tiles;
  float h[BLOCK_ROWS * RANK_PADDED];

  x += call.off_x;
  for (int r = 0; r < rows.count; r += ROWS) {
    shrink_rows(FROM_ROW(x, ld_x, rows, r), ld_x, rows.count - r, k, rows.rank, a,
                h + r * RANK_PADDED PASS_LIST(rows.rows + r));
  }

  global elem* y = OUTPUT(which) + module.off_y;
  const int first = column_block * block_tiles;
  const int end = min(first + block_tiles, (n - 1) / COLUMNS + 1);
  for (int block = first; block < end; block += B_BLOCK_TILES) {
    for (int r = 0; r < rows.count; r += Y_ROWS) {
      for (int t = block; t < min(block + B_BLOCK_TILES, end); ++t) {
        const long column = (long)t * COLUMNS;
        const int columns = (int)min((long)n - column, (long)COLUMNS);
        expand(h + r * RANK_PADDED, rows.rank, b + column * RANK,
               FROM_ROW(y, ld_y, rows, r) + column, ld_y, rows.count - r, columns, rows.scale,
               GAINS(ab, module, column) PASS_LIST(rows.rows + r));
      }
    }
  }
}
