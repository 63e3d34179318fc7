// A Problem is one LoRA product; everything the project plans, checks, times or picks is keyed by
// one.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loratune {

enum class Op : std::uint8_t { fwd };
enum class Dtype : std::uint8_t { f32, f16, bf16 };

inline constexpr std::int64_t kMaxExtent = 2147483647;  // m, n and k are int in the kernels
inline constexpr int kMaxRank = 1024;
inline constexpr int kMaxSlices = 8;
inline constexpr int kMaxAdapters = 65535;

constexpr int element_bytes(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 2; }
std::string_view to_string(Op op);
std::string_view to_string(Dtype dtype);
std::optional<Dtype> parse_dtype(std::string_view text);

// How the elements of a product are stored: those of x and y, and those of A and B.
struct Types {
  Dtype data = Dtype::f32, weights = Dtype::f32;
  constexpr Types() = default;
  constexpr Types(Dtype both) : data(both), weights(both) {}  // NOLINT: a type is a pair of itself
  constexpr Types(Dtype of_data, Dtype of_weights) : data(of_data), weights(of_weights) {}
  auto operator<=>(const Types&) const = default;
};
// `f16`, or `f32_w_f16` where the weights have another type; and back.
std::string to_string(const Types& types);
std::optional<Types> parse_types(std::string_view text);

// Modules that share x, side by side in y: the columns of each. A count of 0 is one module, which
// has all columns of y; a group has 2 to kMaxSlices.
struct Slices {
  std::array<std::int32_t, kMaxSlices> columns{};  // 0 behind the last
  int count = 0;
  auto operator<=>(const Slices&) const = default;
};
// `4096+1024+1024`, and back; nothing for fewer than two or too many numbers, or one below 1.
std::string to_string(const Slices& slices);
std::optional<Slices> parse_slices(std::string_view text);

// All of a Problem but its extents, its rank and its alignment. A rule of a tuned file states it.
struct Kind {
  Op op = Op::fwd;
  Types types;
  Slices slices;
  int adapters = 0;
  bool dora = false;
  bool accumulate = true;
  auto operator<=>(const Kind&) const = default;
};
// `f32_w_f16_acc_dora_a8`: the end of a problem's key.
std::string to_string(const Kind& kind);

// y[m,n] (+)= scale * (x[m,k] A[rank,k]^T) B[n,rank]^T, all row-major. `accumulate` adds to y,
// otherwise y is overwritten. `align`: bytes that pointers, row pitches and offsets of x and y are
// multiples of; 0 stands for the element size. What follows n may be left out: then the product is
// that of one adapter's one module, with weights of the type of x and y.
struct Problem {
  Op op = Op::fwd;
  Dtype dtype = Dtype::f32;  // of x and y
  bool accumulate = true;
  int rank = 0;  // of each slice
  int align = 0;
  std::int64_t m = 0, k = 0, n = 0;
  std::optional<Dtype> weights = {};  // of A and B as they are stored; nothing: dtype
  Slices slices = {};                 // n is the sum of their columns
  // 0: one adapter for all rows. Else rows belong to adapters of a pool, of which so many have rows
  // in the call; the size of the pool is no part of the problem.
  int adapters = 0;
  // y = g * y + scale * h (g B)^T with a vector g over the columns; only where y is added to.
  bool dora = false;

  // Weights of the type of x and y are the same, stated or not.
  constexpr bool operator==(const Problem& other) const;
};

constexpr Dtype weights_dtype(const Problem& problem) {
  return problem.weights.value_or(problem.dtype);
}
constexpr Types types_of(const Problem& problem) { return {problem.dtype, weights_dtype(problem)}; }
// States the weights only where they have another type.
constexpr void set_types(Problem& problem, const Types& types) {
  problem.dtype = types.data;
  problem.weights.reset();
  if (types.weights != types.data) problem.weights = types.weights;
}

// States the alignment only where it is more than an element's own, so that a problem has one key.
constexpr void set_align(Problem& problem, int align) {
  problem.align = align == element_bytes(problem.dtype) ? 0 : align;
}

constexpr int slice_count(const Problem& problem) {
  return problem.slices.count == 0 ? 1 : problem.slices.count;
}
constexpr std::int64_t slice_columns(const Problem& problem, int slice) {
  return problem.slices.count == 0 ? problem.n
                                   : problem.slices.columns[static_cast<unsigned>(slice)];
}
// Columns of h = x A^T, the ranks of all slices.
constexpr int h_columns(const Problem& problem) { return slice_count(problem) * problem.rank; }

constexpr Kind kind_of(const Problem& problem) {
  return {problem.op,       types_of(problem), problem.slices,
          problem.adapters, problem.dora,      problem.accumulate};
}
// The problem of this kind and shape, with no alignment stated.
constexpr Problem make_problem(const Kind& kind, std::int64_t m, std::int64_t k, std::int64_t n,
                               int rank) {
  Problem problem = {.op = kind.op,
                     .accumulate = kind.accumulate,
                     .rank = rank,
                     .m = m,
                     .k = k,
                     .n = n,
                     .slices = kind.slices,
                     .adapters = kind.adapters,
                     .dora = kind.dora};
  set_types(problem, kind.types);
  return problem;
}

constexpr bool Problem::operator==(const Problem& other) const {
  return m == other.m && k == other.k && n == other.n && rank == other.rank &&
         align == other.align && kind_of(*this) == kind_of(other);
}

// Empty when the problem is one that the project knows: m in [0, 2^31), k and n in [1, 2^31), rank
// in [1, 1024], align 0 or a power of two up to 4096, slices none or 2 to 8 whose columns add up to
// n, adapters in [0, 65535], dora only where y is added to. Otherwise the reason, in one line.
std::string invalid_reason(const Problem& problem);

// `fwd_m1_k1024_n1024_r8_f16_acc`, `fwd_m16_k4096_n4096+1024+1024_r16_f32_w_bf16_acc_dora_a8`;
// `_set` when overwriting; `_align16` appended when align is set.
std::string to_string(const Problem& problem);

// Inverse of to_string; a leading `fwd_` may be left out, and an alignment that is the element's
// own counts as none. Nothing, with the reason in `why`, for text that is no key or a key that
// invalid_reason() refuses.
std::optional<Problem> parse_problem(std::string_view key, std::string& why);

// Floating-point operations of the algorithm that computes x A^T once: 2 m rank (s k + n) of s
// slices.
double useful_flops(const Problem& problem);

// Bytes that must move at least once: x, the A, B and g of each slice and active adapter, y, and y
// again when accumulating.
double compulsory_bytes(const Problem& problem);

}  // namespace loratune
