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

// All zero for no problem. Nearly all problems are those of one adapter and one module, which two
// words tell apart.
struct ProblemKey {
  std::array<std::uint64_t, 2> plain{};
  // The adapters and the number of slices, then the slices: zero where a problem has neither.
  std::array<std::uint64_t, 1 + kMaxSlices / 2> rest{};

  constexpr bool is_plain() const noexcept { return rest[0] == 0; }
  constexpr bool has_plain(const std::array<std::uint64_t, 2>& words) const noexcept {
    return ((plain[0] ^ words[0]) | (plain[1] ^ words[1])) == 0;
  }
  auto operator<=>(const ProblemKey&) const = default;
};

constexpr bool is_valid(const Slices& slices, std::int64_t n) noexcept {
  if (slices.count == 0) {
    const auto pairs = std::bit_cast<std::array<std::uint64_t, kMaxSlices / 2>>(slices.columns);
    return (pairs[0] | pairs[1] | pairs[2] | pairs[3]) == 0;
  }
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
                           (p.align & (p.align - 1)) == 0)) &&
         p.adapters >= 0 && p.adapters <= kMaxAdapters && (p.accumulate || !p.dora) &&
         is_valid(p.slices, p.n);
}

// The alignment as a power of two, up to 12; 0 where it is the element's own, stated or not.
constexpr unsigned align_level(const Problem& p) noexcept {
  return p.align <= element_bytes(p.dtype) ? 0U
                                           : std::bit_width(static_cast<unsigned>(p.align)) - 1U;
}

// What of a key an entry may differ in that serves a problem nevertheless.
constexpr std::uint64_t served_bits(Mode mode, bool accumulate, unsigned align) noexcept {
  return std::uint64_t{align} << 49U | static_cast<std::uint64_t>(mode) << 47U |
         std::uint64_t{accumulate} << 46U;
}

// The key of the same problem in another mode, with another accumulate and another align level.
constexpr void set_served(ProblemKey& key, Mode mode, bool accumulate, unsigned align) noexcept {
  constexpr std::uint64_t kAll = served_bits(static_cast<Mode>(3), true, 15);
  key.plain[0] = (key.plain[0] & ~kAll) | served_bits(mode, accumulate, align);
}

// The key of the problem with so many rows, which must be valid: every field has just the bits that
// its range takes.
constexpr ProblemKey make_key(const Problem& p, Mode mode, std::int64_t m) noexcept {
  const auto bits = [](auto value) { return static_cast<std::uint64_t>(value); };
  constexpr std::uint64_t kOccupied = std::uint64_t{1} << 63U;
  ProblemKey key;
  key.plain = {kOccupied | bits(p.dora) << 57U | bits(weights_dtype(p)) << 53U |
                   served_bits(mode, p.accumulate, align_level(p)) | bits(p.dtype) << 42U |
                   bits(p.rank) << 31U | bits(p.n),
               bits(p.op) << 62U | bits(p.k) << 31U | bits(m)};
  key.rest[0] = bits(p.slices.count) << 16U | bits(p.adapters);
  for (unsigned i = 0; i < static_cast<unsigned>(p.slices.count); ++i) {
    key.rest[1 + i / 2] |= bits(p.slices.columns[i]) << i % 2 * 32U;
  }
  return key;
}

constexpr ProblemKey make_key(const Problem& p, Mode mode) noexcept {
  return make_key(p, mode, p.m);
}

// The key of the entry that holds the problem where no record is of its very m: for
// Mode::batch_invariant such an entry stands for every m.
constexpr ProblemKey entry_key(const Problem& p, Mode mode) noexcept {
  return make_key(p, mode, mode == Mode::batch_invariant ? 1 : p.m);
}

// The inverse of make_key, the mode apart.
constexpr Problem problem_of(const ProblemKey& key) noexcept {
  const auto& w = key.plain;
  Problem p;
  set_types(p, {static_cast<Dtype>(w[0] >> 42U & 0xfU), static_cast<Dtype>(w[0] >> 53U & 0xfU)});
  p.accumulate = (w[0] >> 46U & 1U) != 0;
  p.rank = static_cast<int>(w[0] >> 31U & 0x7ffU);
  const auto align = static_cast<unsigned>(w[0] >> 49U & 0xfU);
  p.align = align == 0 ? 0 : 1 << align;
  p.m = static_cast<std::int64_t>(w[1] & 0x7fffffffU);
  p.k = static_cast<std::int64_t>(w[1] >> 31U & 0x7fffffffU);
  p.n = static_cast<std::int64_t>(w[0] & 0x7fffffffU);
  p.dora = (w[0] >> 57U & 1U) != 0;
  p.adapters = static_cast<int>(key.rest[0] & 0xffffU);
  p.slices.count = static_cast<int>(key.rest[0] >> 16U);
  for (unsigned i = 0; i < static_cast<unsigned>(p.slices.count); ++i) {
    const std::uint64_t pair = key.rest[1 + i / 2];
    p.slices.columns[i] = static_cast<std::int32_t>(pair >> i % 2 * 32U & 0xffffffffU);
  }
  return p;
}

// Who does not know the seed cannot choose keys that meet.
constexpr std::uint64_t hash(const ProblemKey& key, std::uint64_t seed = 0) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;  // splitmix64's constants
  const auto add = [](std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * kOdd;
    return h ^ h >> 32U;
  };
  std::uint64_t h = add(add(seed, key.plain[0]), key.plain[1]);
  if (!key.is_plain()) {
    for (const std::uint64_t word : key.rest) h = add(h, word);
  }
  h *= 0xbf58476d1ce4e5b9U;
  return h ^ h >> 32U;
}

}  // namespace loratune
