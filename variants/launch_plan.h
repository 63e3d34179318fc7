// A LaunchPlan is all that one run of a variant needs, as plain data: it can be compared, stored,
// sent to another process, and run by any executor that knows these few roles.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

// What the executor passes for a kernel argument. x, a, b, y, scratch: a buffer. scale: float. m,
// k, n, rank: int. ld_* (row pitch) and off_*: long, in elements. i32: the constant `value`.
// scratch: the buffer number `value` of the plan. local: `value` bytes of local memory. weights:
// one buffer of A, from element off_a on, and B, from element off_b on; a plan that has it has
// neither a nor b. (Each buffer makes a launch 0.2 us longer with NVIDIA's driver.) off_g: where
// the factors of DoRA begin in the buffer of B, in its elements. Of a group, `value` is the slice
// that y, scale, n, ld_y, off_a, off_b, off_g and off_y are of. slots, route: the tables of a pool
// and of a call's route, buffers of int. ld_slot: long, the elements from the weights of a slot to
// those of the next. blocks: long, where the blocks of `value` rows begin in the route. arena: the
// one buffer of x, weights and y. block_count: int, how many blocks of `value` rows the route has.
// Plans files hold their numbers: new ones go last.
enum class Role : std::uint8_t {
  x,
  a,
  b,
  y,
  scale,
  m,
  k,
  n,
  rank,
  ld_x,
  ld_a,
  ld_b,
  ld_y,
  off_x,
  off_a,
  off_b,
  off_y,
  scratch,
  local,
  i32,
  weights,
  off_g,
  slots,
  route,
  ld_slot,
  blocks,
  arena,
  block_count
};

// Whether `value` is a slice where the role is an argument's.
constexpr bool is_of_slice(Role role) {
  return role == Role::y || role == Role::scale || role == Role::n || role == Role::ld_y ||
         (role >= Role::off_a && role <= Role::off_y) || role == Role::off_g;
}

struct Arg {
  Role role{};
  std::int64_t value = 0;
  bool operator==(const Arg&) const = default;
};

// Rows that a block of a route has are a power of two up to this one.
inline constexpr int kMostRouteRows = 64;

// Blocks of so many rows of a route that plans with scratch for them have room for: each slot with
// rows may end with a block of one row. Slots are the problem's adapters and as many empty ones.
constexpr std::int64_t most_route_blocks(const Problem& problem, std::int64_t rows) {
  const std::int64_t slots = 2 * std::int64_t{problem.adapters} + 2;
  const std::int64_t most = problem.m / rows + slots;
  return most < problem.m ? most : problem.m;
}

// How many work-groups a launch has for m rows: the groups of a block of `rows` rows, `groups`, for
// each block. Where `rows` is 0 the launch has its own grid for every m. Grids that are the same
// for the plan's problem are equal.
struct RowGroups {
  std::int64_t rows = 0, groups = 0;
  bool operator==(const RowGroups&) const { return true; }
};

// `one_struct`: the numbers among `args` are one argument, a struct of them in their order, each
// aligned to its size, that stands where the first of them does. (With NVIDIA's driver each number
// of its own makes a launch 40 ns longer, a struct of ten does not.)
struct Launch {
  std::string kernel;
  int dims = 1;
  std::array<std::uint64_t, 3> global{1, 1, 1}, local{1, 1, 1};
  std::vector<Arg> args;
  bool one_struct = false;
  bool native = false;        // a function of the engine's, of the kernel's name, run by the host
  RowGroups row_groups = {};  // along the first dimension
  bool operator==(const Launch&) const = default;
};

// When a scratch buffer is zeroed. once: before the first run, and after one that failed; what a
// run leaves in it is what the next one finds. each_run: by a fill that belongs to the timed run.
enum class Zero : std::uint8_t { never, once, each_run };

struct Scratch {
  std::uint64_t bytes = 0;
  Zero zero = Zero::never;
  bool operator==(const Scratch&) const = default;
};

// The layout that a plan wants a weight matrix in: element (i, j) of `rows` x `cols` stands at
//   row_major   i * ld + j                                   ld = cols, up to a multiple of tile
//   transposed  j * ld + i                                   ld = rows
//   panel       ((i / tile) * cols + j) * tile + i % tile    ld = cols
//   blocked     (((i / tile) * blocks + j / 16) * tile + i % tile) * 16 + j % 16
//               blocks = ceil(cols / 16), ld = 16 * blocks
// What pads a row or the last panel is zero, so that a kernel may load whole tiles.
enum class Layout : std::uint8_t { row_major, transposed, panel, blocked };
inline constexpr int kLayoutBlock = 16;  // columns of a block

// `as_f32`: elements of f16 or bf16 become floats.
struct Packing {
  Layout layout = Layout::row_major;
  int tile = 1;
  bool as_f32 = false;
  bool operator==(const Packing&) const = default;
};

// The problem that a plan was made for, which every variant's plan() says. The plan serves that
// problem and those of fewer rows: only the grids follow m, by RowGroups, and scratch that is large
// enough for the most rows is so for all. The engine refuses the plan for another problem, whose
// scratch and ranges would be too small. Plans that do the same are equal whatever they were made
// for; plans read from a file of plans do not say it, and serve their own m only.
struct MadeFor {
  std::optional<Problem> problem;
  bool operator==(const MadeFor&) const { return true; }
};

struct LaunchPlan {
  std::string source;                                         // OpenCL C
  std::vector<std::pair<std::string, std::int64_t>> defines;  // sorted by name
  std::vector<std::string> flags;                             // out of allowed_flags()
  Packing a, b;
  std::vector<Scratch> scratch;
  std::vector<Launch> launches;  // run in order; none is legal (m = 0)
  int align = 0;  // bytes that pointers, pitches and offsets of x and y must be multiples of; 0:
                  // the element
  bool deterministic = true;     // the same bits every run
  bool needs_residency = false;  // correct only while all work-groups are resident at once
  // Of a group, in place of all above but the last three: the plan of each slice alone, one run
  // after the other. Parts have no parts.
  std::vector<LaunchPlan> parts;
  MadeFor made_for;
  bool operator==(const LaunchPlan&) const = default;
};

// Why no device can run the plan, whatever its problem: a name or flag that build_options()
// refuses, a launch of no work-items or of parts of work-groups, a scratch buffer that there is
// not, or a number that no device has or that sizes computed from it could overflow. Empty where
// one may.
std::string invalid_reason(const LaunchPlan& plan);

// `-DNAME=1 ... flags`, the text that is given to the compiler. Throws std::invalid_argument on a
// name that is no identifier or a flag that is not allowed, so that no data can smuggle options in.
std::string build_options(const LaunchPlan& plan);

// The first dimension of the launch's grid, in work-items, for m rows: m in [1, that of the plan's
// problem].
std::uint64_t global_for(const Launch& launch, std::int64_t m);

// The plan for operands that all stand in one buffer, at the same offsets: its kernels take that
// buffer alone, since each buffer makes a launch longer with NVIDIA's driver. A plan whose
// launches take A and B apart, that the host runs, or that has parts stays as it is.
LaunchPlan in_one_buffer(LaunchPlan plan);

// Whether a launch takes x, weights and y as one buffer.
bool takes_arena(const LaunchPlan& plan);

// Kernels that a run enqueues, those of the parts included.
int launch_count(const LaunchPlan& plan);

// Whether weights may stand anywhere in their buffers: kernels that take both as one are told
// where, by Role::off_a.
bool places_weights(const LaunchPlan& plan);

// Whether the kernels take A and B as one buffer, Role::weights or Role::arena.
bool joins_weights(const LaunchPlan& plan);

// A key that is equal exactly for plans that share a program: source, defines and flags. Of a plan
// of parts, for plans whose parts do.
std::string program_key(const LaunchPlan& plan);

}  // namespace loratune
