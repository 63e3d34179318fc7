// tensor: one launch on NVIDIA's tensor cores, f32 accumulation. Its work-groups are all resident
// at once, 8 / WARPS for each compute unit and at least one: they share out x A^T between them,
// wait for one another, and share out the product with B. So nothing is computed twice, h passes
// through the L2 cache, and a second launch's cost is saved.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k; that of a module stands
//              behind the one before it
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   h          (slice * m + row) * ld_h + j, float scratch behind 32 words, of which the first
//              counts the work-groups at the wait: between two runs it is 0 or their number. Of
//              several modules each has the next whole tiles of 8 ranks. Rows of several adapters
//              stand in the blocks of their route, of GROUP_ROWS each.
//   y[m,n]     off_y + row * ld_y + column
// Shrink: a warp takes ROW_TILES * 16 rows and RANK_TILES * 8 ranks of a slice of k; in a group
// ROW_WARPS and RANK_WARPS of them stand side by side, and what warps are left take turns at pieces
// of 64 bytes of k, and add up through local memory. Expand: a group takes stages of OUT_TILES * 16
// rows, and each of its warps COLUMN_TILES * 8 columns.
//
// A sum over k may take the k in any order, if x and A agree on it. So each lane loads 16 bytes of
// consecutive elements of its row and passes them to the two steps of the piece as if they stood
// where the instruction wants them. The same goes for the ranks in expand; and which column of y is
// which of a tile is chosen such that a lane's are neighbours.
//
// f32 has 24 bits, an operand (tf32) 11: a value goes in as the sum of two, and of the four
// products the least is left out, which costs at most 3 * 2^-22 of |x||A|. Elements of two bytes
// are exact as they are: among themselves as what they are, where x, A and B have the same type,
// and as tf32 beside another type. h, f32, goes in as the sum of two halves, or of three bf16, or
// of two tf32.

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
#define RANK_WARPS 1
#endif
#ifndef PIECES
#define PIECES 1  // of k, that a warp has on the way
#endif
#ifndef RUN
#define RUN 1  // neighbours among them: 2, which are 128 bytes, or 1; divides PIECES
#endif
#ifndef OUT_TILES
#define OUT_TILES 1
#endif
#ifndef SUM_TILES
#define SUM_TILES OUT_TILES  // whose sums a warp holds at once: 1 where all ranks come in one step
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

#define WG (32 * WARPS)
#define H_SPACE global
#include "storage.clh"
#define STACKED MODULES
#include "nv_tensor.clh"
#include "tensor_shrink.clh"
#include "tensor_stage.clh"
#include "tensor_expand.clh"

#if ADAPTERS
#define SHRINK_BLOCK(call, number)                                                 \
  (STACKED == 1 ? FIND_BLOCK(call, 0, number, GROUP_ROWS, (call).rank)             \
                : find_rows(route, slots, (call).pool, number))
#define BLOCKS(call) ((long)(call).blocks)
#else
#define SHRINK_BLOCK(call, number) FIND_BLOCK(call, 0, 0, (call).m, (call).rank)
#define BLOCKS(call) (((long)(call).m + GROUP_ROWS - 1) / GROUP_ROWS)
#endif

// One task of expand: WARPS * PANEL columns of a module, and stages of rows from `first` to `last`.
// h is that of the block's first row and the module, b the warp's panel, g the panel's GAINS, and y
// begins with the panel's first column, of which there are `columns`. `stages` and `maxima` have
// two of each, which take turns, of which `turn` is the next: while a warp still multiplies by one
// another can fill the other. Where `arrivals` is given the groups wait for one another before h is
// read.
inline void expand(const global float* h, int ld_h, long h_rows, int ranks, const global weight* b,
                   global elem* y, long ld_y, const global float* g, local uint* stages,
                   local uint* maxima, int* turn, global uint* arrivals, uint round, Block block,
                   long first, long last, int columns, int slices, const int aligned) {
  const int lane = (int)get_local_id(0) % 32;
  const int rank = block.rank, m = block.count;
  const int rank_step = RANK_CHUNKS * 4 * RANKS_A_LANE;
  const int wide = aligned && column_of(lane % 4, LANE_COLUMNS - 1) < columns;
  uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES];
  uint before[OUT_TILES / SUM_TILES][SUM_TILES * 2][LANE_WORDS];
  FLOATS(RANKS_A_LANE) shares[ITEMS][CHUNKS];
  // What does not depend on h comes while the group waits for it: into registers, since the wait
  // empties the cache.
  if (columns > 0) load_b(b, bs, 0, rank);
#pragma unroll
  for (int t = 0; t < OUT_TILES; t += SUM_TILES) {
    load_y(y, ld_y, first + t * 16, block, wide, before[t / SUM_TILES]);
  }
  if (arrivals) wait_for_all(arrivals, (uint)get_num_groups(0), round);
  load_h(h, ld_h, ranks, shares, first, 0, m, h_rows, slices);

  for (long row0 = first; row0 < last; row0 += STAGE_ROWS) {
    float sum[SUM_TILES][COLUMN_TILES][4];
    float up[SUM_TILES * 2];
    for (int rank0 = 0; rank0 < rank; rank0 += rank_step) {
      local uint* stage = stages + *turn * STAGE_WORDS;
      local uint* largest = maxima + *turn * MAXIMA;
      put_h(shares, stage, largest);
      *turn = 1 - *turn;
      // The next stage's h comes while this one's is used.
      const int more = rank0 + rank_step < rank;
      if (more || row0 + STAGE_ROWS < last) {
        load_h(h, ld_h, ranks, shares, more ? row0 : row0 + STAGE_ROWS,
               more ? rank0 + rank_step : 0, m, h_rows, slices);
      }
      if (columns == 0) continue;
      if (rank > rank_step && (rank0 > 0 || row0 > first)) load_b(b, bs, rank0, rank);
#pragma unroll
      for (int t0 = 0; t0 < OUT_TILES; t0 += SUM_TILES) {
        if (SUM_TILES < OUT_TILES || rank0 == 0) {
#pragma unroll
          for (int i = 0; i < SUM_TILES * COLUMN_TILES * 4; ++i) (&sum[0][0][0])[i] = 0.0f;
        }
#pragma unroll
        for (int t = 0; t < SUM_TILES * 2; ++t) {
#if SCALED
          const float now = row_scale(largest_in(largest, (t0 * 2 + t) * 8 + lane / 4));
          if (SUM_TILES == OUT_TILES && rank0 > 0) {
            // Parts of h that were scaled otherwise: the sums so far follow.
#pragma unroll
            for (int c = 0; c < COLUMN_TILES; ++c) {
              sum[t / 2][c][t % 2 * 2] *= up[t] / now;
              sum[t / 2][c][t % 2 * 2 + 1] *= up[t] / now;
            }
          }
          up[t] = now;
#else
          up[t] = 1.0f;
#endif
        }
        multiply(stage, t0, bs, sum);
        if (SUM_TILES == OUT_TILES && more) continue;
        const long rows = row0 + t0 * 16;
        store_y(y, ld_y, rows, block, wide, columns, g, sum, up, before[t0 / SUM_TILES]);
        if (row0 + STAGE_ROWS < last) {
          load_y(y, ld_y, rows + STAGE_ROWS, block, wide, before[t0 / SUM_TILES]);
        }
      }
    }
  }
}

typedef struct {
  long off_x, ld_x;
#if ADAPTERS
  Pool pool;
#endif
  Module modules[MODULES];
  int m, k, column_blocks, rank, slice_pieces;
#if ADAPTERS
  int blocks;  // of GROUP_ROWS rows
#endif
} Call;

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor(
    TENSORS(weight) POOL, global float* scratch, Call call) {
  FIND_TENSORS(weight)
  const int k = call.k, all_ranks = call.rank;
  // Sums of the warps in shrink; then two stages of h.
  local uint __attribute__((aligned(16)))
  memory[SHRINK_WORDS > 2 * STAGE_WORDS ? SHRINK_WORDS : 2 * STAGE_WORDS];
  local uint maxima[2 * MAXIMA];
  global float* h = scratch + 32;
  global uint* arrivals = (global uint*)scratch;
  const uint groups = (uint)get_num_groups(0);
  const uint round = round_of(arrivals, groups);
  const int ld_a = (k + A_UNIT - 1) / A_UNIT * A_UNIT;
  const int apart = ranks_in_h(all_ranks);
  const int panels = (STACKED * apart + GROUP_RANKS - 1) / GROUP_RANKS;
  const int ld_h = panels * GROUP_RANKS;
  const int slices = ((k - 1) / PIECE + call.slice_pieces) / call.slice_pieces;
  const long blocks = BLOCKS(call);
  const long h_rows = ADAPTERS ? blocks * GROUP_ROWS : call.m;
  x += call.off_x;
  const ulong x_places = (ulong)x | (ulong)(call.ld_x * sizeof(elem)) | (ulong)k * sizeof(elem);
  const int x_aligned = (x_places & (X_WORDS * 4 - 1)) == 0;

  // Units of shrink are the tiles of h, of each slice of k.
  for (long unit = get_group_id(0); unit < blocks * panels * slices; unit += groups) {
    const int slice = (int)(unit % slices);
    const long begin = (long)slice * call.slice_pieces * PIECE;
    const long number = unit / slices / panels;
    const Block block = SHRINK_BLOCK(call, number);
    const long row0 = number * GROUP_ROWS;  // in h, and without adapters in x
    global float* part = h + ((long)slice * h_rows + (ADAPTERS ? row0 : 0)) * ld_h;
    shrink_tile(x, call.ld_x, ab + block.weights + call.modules[0].off_a, ld_a, part, ld_h,
                (local float*)memory, ADAPTERS ? 0 : row0, (int)(unit / slices % panels),
                (int)begin, (int)min(k - begin, (long)call.slice_pieces * PIECE), all_ranks, block,
                x_aligned);
  }
  arrive(arrivals, groups);

  // A task of expand has some columns of a module, and a block or a part of all stages, so that a
  // warp's B stays in registers over all stages of the part.
  const long stages = ((long)call.m + STAGE_ROWS - 1) / STAGE_ROWS;
  const long parts =
      ADAPTERS ? blocks : clamp((long)groups / call.column_blocks, 1L, stages);
  int turn = 0, waited = 0;
  for (long task = get_group_id(0); task < call.column_blocks * parts; task += groups) {
    int column_block = (int)(task % call.column_blocks);
    const int which = find_module(call.modules, &column_block);
    const Module module = call.modules[which];
    const long part = task / call.column_blocks;
    const Block block = FIND_BLOCK(call, which, ADAPTERS ? part : 0, call.m, all_ranks);
    if (ADAPTERS && block.count == 0) continue;
    const global weight* weights = ab + block.weights;
    const long column0 =
        ((long)column_block * WARPS + (int)get_local_id(0) / 32) * PANEL;  // of the warp
    global elem* y = OUTPUT(which) + module.off_y;
    const ulong y_places = (ulong)y | (ulong)(module.ld_y * sizeof(elem));
    expand(h + (ADAPTERS ? part * GROUP_ROWS * ld_h : 0) + which * apart, ld_h, h_rows,
           STACKED == 1 ? ld_h : apart, weights + module.off_b + column0 * all_ranks, y + column0,
           module.ld_y, GAINS(weights, module, column0), memory, maxima, &turn,
           waited ? 0 : arrivals, round, block,
           ADAPTERS ? 0 : part * stages / parts * STAGE_ROWS,
           ADAPTERS ? block.count
                    : min((part + 1) * stages / parts * STAGE_ROWS, (long)call.m),
           (int)clamp(module.n - column0, 0L, (long)PANEL), slices,
           (y_places & (WIDTH * sizeof(elem) - 1)) == 0);
    waited = 1;
  }
}
