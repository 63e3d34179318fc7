// A problem and a mode as a few whole numbers, for tables that are searched without touching a
// string.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "loratune/dispatch/choice.h"

namespace loratune {

// All zero for no problem. The words behind the third are the slices, zero where there are none.
struct ProblemKey {
  static constexpr std::size_t kPlain = 3;
  static constexpr std::size_t kWords = kPlain + kMaxSlices / 2;
  std::array<std::uint64_t, kWords> words{};
  auto operator<=>(const ProblemKey&) const = default;
};

constexpr bool is_valid(const Slices& slices, std::int64_t n) noexcept {
  if (slices.count == 0) return slices == Slices{};
  if (slices.count < 2 || slices.count > kMaxSlices) return false;
  std::int64_t sum = 0;
  for (int i = 0; i < kMaxSlices; ++i) {
    const std::int32_t columns = slices.columns[static_cast<unsigned>(i)];
    if (i < slices.count ? columns < 1 : columns != 0) return false;
    sum += columns;
  }
  return sum == n;
}

// What invalid_reason() says, without its text.
constexpr bool is_valid(const Problem& p) noexcept {
  return p.op == Op::fwd && p.dtype <= Dtype::bf16 && weights_dtype(p) <= Dtype::bf16 && p.m >= 0 &&
         p.m <= kMaxExtent && p.k >= 1 && p.k <= kMaxExtent && p.n >= 1 && p.n <= kMaxExtent &&
         p.rank >= 1 && p.rank <= kMaxRank &&
         (p.align == 0 || (p.align >= element_bytes(p.dtype) && p.align <= 4096 &&
                           std::has_single_bit(static_cast<unsigned>(p.align)))) &&
         p.adapters >= 0 && p.adapters <= kMaxAdapters && (p.accumulate || !p.dora) &&
         is_valid(p.slices, p.n);
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
  ProblemKey key{{kOccupied | bits(align) << 49U | bits(mode) << 47U | bits(p.accumulate) << 46U |
                      bits(p.dtype) << 42U | bits(p.rank) << 31U | bits(p.n),
                  bits(p.op) << 62U | bits(p.k) << 31U | bits(p.m),
                  bits(weights_dtype(p)) << 32U | bits(p.dora) << 24U |
                      bits(p.slices.count) << 16U | bits(p.adapters)}};
  for (unsigned i = 0; i < static_cast<unsigned>(p.slices.count); ++i) {
    key.words[ProblemKey::kPlain + i / 2] |= bits(p.slices.columns[i]) << i % 2 * 32U;
  }
  return key;
}

constexpr ProblemKey make_key(const Problem& p, Mode mode) noexcept {
  return make_key(p, mode, align_level(p));
}

// The inverse of make_key, the mode apart.
constexpr Problem problem_of(const ProblemKey& key) noexcept {
  const auto& w = key.words;
  Problem p;
  set_types(p, {static_cast<Dtype>(w[0] >> 42U & 0xfU), static_cast<Dtype>(w[2] >> 32U & 0xfU)});
  p.accumulate = (w[0] >> 46U & 1U) != 0;
  p.rank = static_cast<int>(w[0] >> 31U & 0x7ffU);
  const auto align = static_cast<unsigned>(w[0] >> 49U & 0xfU);
  p.align = align == 0 ? 0 : 1 << align;
  p.m = static_cast<std::int64_t>(w[1] & 0x7fffffffU);
  p.k = static_cast<std::int64_t>(w[1] >> 31U & 0x7fffffffU);
  p.n = static_cast<std::int64_t>(w[0] & 0x7fffffffU);
  p.dora = (w[2] >> 24U & 1U) != 0;
  p.adapters = static_cast<int>(w[2] & 0xffffU);
  p.slices.count = static_cast<int>(w[2] >> 16U & 0xffU);
  for (unsigned i = 0; i < static_cast<unsigned>(p.slices.count); ++i) {
    const std::uint64_t pair = w[ProblemKey::kPlain + i / 2];
    p.slices.columns[i] = static_cast<std::int32_t>(pair >> i % 2 * 32U & 0xffffffffU);
  }
  return p;
}

constexpr std::uint64_t hash(const ProblemKey& key) noexcept {
  const bool grouped = key.words[ProblemKey::kPlain] != 0;
  const std::size_t words = grouped ? ProblemKey::kWords : ProblemKey::kPlain;
  std::uint64_t h = 0;
  for (std::size_t i = 0; i < words; ++i) {
    h = (std::rotl(h, 23) ^ key.words[i]) * 0x9e3779b97f4a7c15U;  // splitmix64's constants
  }
  h = (h ^ h >> 30U) * 0xbf58476d1ce4e5b9U;
  h = (h ^ h >> 27U) * 0x94d049bb133111ebU;
  return h ^ h >> 31U;
}

}  // namespace loratune
