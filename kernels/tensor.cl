// tensor: one launch on NVIDIA's tensor cores, f32 accumulation. Its work-groups are all resident
// at once, 8 / WARPS for each compute unit and at least one: they share out x A^T between them,
// wait for one another, and share out the product with B. So nothing is computed twice, h passes
// through the L2 cache, and a second launch's cost is saved.
//
//   x[m,k]     off_x + row * ld_x + i
//   A[rank,k]  j * ld_a + i, ld_a a multiple of 16 bytes, zeros behind k
//   B[n,rank]  panels of PANEL columns: (column / PANEL * rank + j) * PANEL + column % PANEL
//   h          (slice * m + row) * ld_h + j, float scratch behind 32 words, of which the first
//              counts the work-groups at the wait: between two runs it is 0 or their number
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
// products the least is left out, which costs at most 3 * 2^-22 of |x||A|. For f16 halves of x, A
// and B are exact as they are, and h, f32, goes in as the sum of two halves.

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
#include "common.clh"
#include "nv_tensor.clh"
#include "tensor_shrink.clh"
#include "tensor_stage.clh"
#include "tensor_expand.clh"

// Its units are the tiles of h, of each slice of k.
inline void shrink(global const elem* x, long ld_x, global const elem* a, int ld_a,
                   global float* h, int ld_h, local float* stage, int m, int k, int rank,
                   int panels, int slices, int slice_pieces, const int aligned) {
  const long units = ((long)m + GROUP_ROWS - 1) / GROUP_ROWS * panels * slices;
  for (long unit = get_group_id(0); unit < units; unit += get_num_groups(0)) {
    const int slice = (int)(unit % slices);
    const long begin = (long)slice * slice_pieces * PIECE;
    shrink_tile(x, ld_x, a, ld_a, h + (long)slice * m * ld_h, ld_h, stage,
                unit / slices / panels * GROUP_ROWS, (int)(unit / slices % panels), (int)begin,
                (int)min(k - begin, (long)slice_pieces * PIECE), m, rank, aligned);
  }
}

// How expand is shared out: a task is WARPS * PANEL columns and a part of the stages, so that a
// warp's B stays in registers over all stages of the part.
typedef struct {
  int column_groups;
  long stages, parts;
} tasks;

inline tasks cut_tasks(int m, int n) {
  tasks cut;
  cut.column_groups = (n - 1) / (WARPS * PANEL) + 1;
  cut.stages = ((long)m + STAGE_ROWS - 1) / STAGE_ROWS;
  cut.parts = clamp((long)get_num_groups(0) / cut.column_groups, 1L, cut.stages);
  return cut;
}

// `stages` and `maxima` have two of each, which take turns: while a warp still multiplies by one
// another can fill the next.
inline void expand(const global float* h, int ld_h, global const elem* b, global elem* y, long ld_y,
                   local uint* stages, local uint* maxima, global uint* arrivals, uint round,
                   float scale, int m, int n, int rank, int slices, const int aligned) {
  const int lane = (int)get_local_id(0) % 32;
  const int warp = (int)get_local_id(0) / 32;
  const int g = lane / 4;
  const int rank_step = RANK_CHUNKS * 4 * RANKS_A_LANE;
  const tasks cut = cut_tasks(m, n);
  int turn = 0;
  for (long task = get_group_id(0); task < cut.column_groups * cut.parts;
       task += get_num_groups(0)) {
    const long part = task / cut.column_groups;
    const long first = part * cut.stages / cut.parts * STAGE_ROWS;
    const long last = min((part + 1) * cut.stages / cut.parts * STAGE_ROWS, (long)m);
    const long column0 = (task % cut.column_groups * WARPS + warp) * PANEL;
    const int columns = (int)clamp((long)n - column0, 0L, (long)PANEL);
    const int wide = aligned && column_of(lane % 4, LANE_COLUMNS - 1) < columns;
    const global elem* panel = b + column0 * rank;
    uint bs[RANK_CHUNKS][B_WORDS][COLUMN_TILES];
    uint before[OUT_TILES / SUM_TILES][SUM_TILES * 2][LANE_WORDS];
    FLOATS(RANKS_A_LANE) shares[ITEMS][CHUNKS];
    // What does not depend on h comes while the group waits for it: into registers, since the wait
    // empties the cache.
    if (columns > 0) load_b(panel, bs, 0, rank);
#pragma unroll
    for (int t = 0; t < OUT_TILES; t += SUM_TILES) {
      load_y(y + column0, ld_y, first + t * 16, m, wide, before[t / SUM_TILES]);
    }
    if (task == get_group_id(0)) wait_for_all(arrivals, (uint)get_num_groups(0), round);
    load_h(h, ld_h, shares, first, 0, m, slices);

    for (long row0 = first; row0 < last; row0 += STAGE_ROWS) {
      float sum[SUM_TILES][COLUMN_TILES][4];
      float up[SUM_TILES * 2];
      for (int rank0 = 0; rank0 < rank; rank0 += rank_step) {
        local uint* stage = stages + turn * STAGE_WORDS;
        local uint* largest = maxima + turn * MAXIMA;
        put_h(shares, stage, largest);
        turn = 1 - turn;
        // The next stage's h comes while this one's is used.
        const int more = rank0 + rank_step < rank;
        if (more || row0 + STAGE_ROWS < last) {
          load_h(h, ld_h, shares, more ? row0 : row0 + STAGE_ROWS, more ? rank0 + rank_step : 0, m,
                 slices);
        }
        if (columns == 0) continue;
        if (rank > rank_step && (rank0 > 0 || row0 > first)) load_b(panel, bs, rank0, rank);
#pragma unroll
        for (int t0 = 0; t0 < OUT_TILES; t0 += SUM_TILES) {
          if (SUM_TILES < OUT_TILES || rank0 == 0) {
#pragma unroll
            for (int i = 0; i < SUM_TILES * COLUMN_TILES * 4; ++i) (&sum[0][0][0])[i] = 0.0f;
          }
#pragma unroll
          for (int t = 0; t < SUM_TILES * 2; ++t) {
#if F16
            const float now = row_scale(largest_in(largest, (t0 * 2 + t) * 8 + g));
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
          store_y(y + column0, ld_y, rows, m, wide, columns, scale, sum, up,
                  before[t0 / SUM_TILES]);
          if (row0 + STAGE_ROWS < last) {
            load_y(y + column0, ld_y, rows + STAGE_ROWS, m, wide, before[t0 / SUM_TILES]);
          }
        }
      }
    }
  }
}

typedef struct {
  long off_x, ld_x, off_y, ld_y, off_b;
  float scale;
  int m, k, n, rank, slice_pieces;
} Call;

kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void tensor(
    global const elem* restrict x, global const elem* restrict ab,
    global elem* restrict y, global float* scratch, Call call) {
  global const elem* restrict a = ab;
  global const elem* restrict b = ab + call.off_b;
  const int m = call.m, k = call.k, n = call.n, rank = call.rank;
  // Sums of the warps in shrink; then two stages of h.
  local uint __attribute__((aligned(16)))
  memory[SHRINK_WORDS > 2 * STAGE_WORDS ? SHRINK_WORDS : 2 * STAGE_WORDS];
  local uint maxima[2 * MAXIMA];
  global float* h = scratch + 32;
  global uint* arrivals = (global uint*)scratch;
  const uint groups = (uint)get_num_groups(0);
  const uint round = round_of(arrivals, groups);
  const int ld_a = (k + UNIT - 1) / UNIT * UNIT;
  const int panels = (rank + GROUP_RANKS - 1) / GROUP_RANKS;
  const int ld_h = panels * GROUP_RANKS;
  const int slices = ((k - 1) / PIECE + call.slice_pieces) / call.slice_pieces;
  x += call.off_x;
  y += call.off_y;
  local float* sums = (local float*)memory;
  const int x_aligned =
      (((ulong)x | (ulong)(call.ld_x * sizeof(elem)) | (ulong)k * sizeof(elem)) & 15) == 0;
  const int y_aligned =
      (((ulong)y | (ulong)(call.ld_y * sizeof(elem))) & (WIDTH * sizeof(elem) - 1)) == 0;
  shrink(x, call.ld_x, a, ld_a, h, ld_h, sums, m, k, rank, panels, slices, call.slice_pieces,
         x_aligned);
  arrive(arrivals, groups);
  expand(h, ld_h, b, y, call.ld_y, memory, maxima, arrivals, round, call.scale, m, n, rank, slices,
         y_aligned);
}
