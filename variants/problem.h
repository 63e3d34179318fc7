// A Problem is one LoRA product; everything the project plans, checks, times or picks is keyed by
// one.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loratune {

enum class Op : std::uint8_t { fwd };
enum class Dtype : std::uint8_t { f32, f16 };

inline constexpr std::int64_t kMaxExtent = 2147483647;  // m, n and k are int in the kernels
inline constexpr int kMaxRank = 1024;

// y[m,n] (+)= scale * (x[m,k] A[rank,k]^T) B[n,rank]^T, all row-major. `accumulate` adds to y,
// otherwise y is overwritten. `align`: bytes that pointers, row pitches and offsets of x and y are
// multiples of; 0 stands for the element size.
struct Problem {
  Op op = Op::fwd;
  Dtype dtype = Dtype::f32;
  bool accumulate = true;
  int rank = 0;
  int align = 0;
  std::int64_t m = 0, k = 0, n = 0;

  bool operator==(const Problem&) const = default;
};

constexpr int element_bytes(Dtype dtype) { return dtype == Dtype::f16 ? 2 : 4; }
std::string_view to_string(Op op);
std::string_view to_string(Dtype dtype);
std::optional<Dtype> parse_dtype(std::string_view text);

// Empty when the problem is one the project handles: m in [0, 2^31), k and n in [1, 2^31), rank in
// [1, 1024], align 0 or a power of two up to 4096. Otherwise the reason, in one line.
std::string invalid_reason(const Problem& problem);

// `fwd_m1_k1024_n1024_r8_f16_acc`; `_set` when overwriting; `_align16` appended when align is set.
std::string to_string(const Problem& problem);

// Inverse of to_string; a leading `fwd_` may be left out. Nothing, with the reason in `why`, for
// text that is no key or a key that invalid_reason() refuses.
std::optional<Problem> parse_problem(std::string_view key, std::string& why);

// Floating-point operations of the algorithm that computes x A^T once: 2 m rank (k + n).
double useful_flops(const Problem& problem);

// Bytes that must move at least once: x, A, B, y, and y again when accumulating.
double compulsory_bytes(const Problem& problem);

}  // namespace loratune
