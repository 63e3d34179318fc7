// A Choice is what runs for a problem, and how it was found.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "loratune/variants/variant.h"

namespace loratune {

// fast: whatever is fastest. deterministic: the same bits every run. batch_invariant: variant and
// order of summation do not depend on m.
enum class Mode : std::uint8_t { fast, deterministic, batch_invariant };

// For Mode::batch_invariant the problem of one row, which stands for all that differ only in m;
// else the problem itself.
constexpr Problem regardless_of_m(Problem problem, Mode mode) noexcept {
  if (mode == Mode::batch_invariant) problem.m = 1;
  return problem;
}

// How the file's device compares with the one at hand; match_device() says by what rule. exact: the
// same; other_driver: all but the driver; similar: the same architecture in another size.
enum class DeviceMatch : std::uint8_t { exact, other_driver, similar, none };

// exact: a record of this very problem; rule: a range that holds it; fallback: the built-in
// default.
enum class ShapeMatch : std::uint8_t { exact, rule, fallback };

struct Choice {
  const Variant* variant = nullptr;
  Config config;
  DeviceMatch device_match = DeviceMatch::none;
  ShapeMatch shape_match = ShapeMatch::fallback;
};

}  // namespace loratune
