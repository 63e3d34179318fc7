// A problem and a mode in 16 bytes, for tables that are searched without touching a string.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>

#include "loratune/dispatch/choice.h"

namespace loratune {

// All zero for no problem.
struct ProblemKey {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const ProblemKey&) const = default;
};

// What invalid_reason() says, without its text.
constexpr bool is_valid(const Problem& p) noexcept {
  return p.op == Op::fwd && p.dtype <= Dtype::f16 && p.m >= 0 && p.m <= kMaxExtent && p.k >= 1 &&
         p.k <= kMaxExtent && p.n >= 1 && p.n <= kMaxExtent && p.rank >= 1 && p.rank <= kMaxRank &&
         (p.align == 0 || (p.align >= element_bytes(p.dtype) && p.align <= 4096 &&
                           std::has_single_bit(static_cast<unsigned>(p.align))));
}

// The alignment as a power of two, up to 12; 0 where it is the element's own, stated or not.
constexpr unsigned align_level(const Problem& p) noexcept {
  return p.align <= element_bytes(p.dtype) ? 0U
                                           : std::bit_width(static_cast<unsigned>(p.align)) - 1U;
}

// The problem must be valid: every field has just the bits that its range takes.
constexpr ProblemKey make_key(const Problem& p, Mode mode, unsigned align) noexcept {
  const auto bits = [](auto value) { return static_cast<std::uint64_t>(value); };
  constexpr std::uint64_t kOccupied = std::uint64_t{1} << 63U;
  return {kOccupied | bits(align) << 49U | bits(mode) << 47U | bits(p.accumulate) << 46U |
              bits(p.dtype) << 42U | bits(p.rank) << 31U | bits(p.n),
          bits(p.op) << 62U | bits(p.k) << 31U | bits(p.m)};
}

constexpr ProblemKey make_key(const Problem& p, Mode mode) noexcept {
  return make_key(p, mode, align_level(p));
}

// The inverse of make_key, the mode apart.
constexpr Problem problem_of(ProblemKey key) noexcept {
  Problem p;
  p.dtype = static_cast<Dtype>(key.high >> 42U & 0xfU);
  p.accumulate = (key.high >> 46U & 1U) != 0;
  p.rank = static_cast<int>(key.high >> 31U & 0x7ffU);
  const auto align = static_cast<unsigned>(key.high >> 49U & 0xfU);
  p.align = align == 0 ? 0 : 1 << align;
  p.m = static_cast<std::int64_t>(key.low & 0x7fffffffU);
  p.k = static_cast<std::int64_t>(key.low >> 31U & 0x7fffffffU);
  p.n = static_cast<std::int64_t>(key.high & 0x7fffffffU);
  return p;
}

constexpr std::uint64_t hash(ProblemKey key) noexcept {
  std::uint64_t h = key.high ^ key.low * 0x9e3779b97f4a7c15U;  // splitmix64's constants
  h = (h ^ h >> 30U) * 0xbf58476d1ce4e5b9U;
  h = (h ^ h >> 27U) * 0x94d049bb133111ebU;
  return h ^ h >> 31U;
}

}  // namespace loratune
