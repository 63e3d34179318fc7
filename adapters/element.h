// How the elements of a weight are stored in a file, and what they are as floats.
//
// Threads: functions of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

// q8_0 and q4_0 are GGUF's: blocks of 32 numbers of 8 or 4 bits with one f16 scale.
enum class Element : std::uint8_t { f32, f16, bf16, q8_0, q4_0 };
std::string_view to_string(Element element);
// How a file stores numbers of a product's type.
constexpr Element element_of(Dtype dtype) {
  if (dtype == Dtype::f32) return Element::f32;
  return dtype == Dtype::f16 ? Element::f16 : Element::bf16;
}

// A file stores whole blocks. A number of its own is a block of one.
struct ElementBlock {
  std::int64_t elements, bytes;
};
constexpr ElementBlock block_of(Element element) {
  switch (element) {
    case Element::f32:
      return {1, 4};
    case Element::f16:
    case Element::bf16:
      return {1, 2};
    case Element::q8_0:
      return {32, 34};
    case Element::q4_0:
      return {32, 18};
  }
  return {1, 4};
}
// Whether each number stands alone, so that a matrix of it can be transposed and written again.
constexpr bool is_plain(Element element) { return block_of(element).elements == 1; }

// The numbers of `stored`, which holds whole blocks and may stand at any address. Every number that
// a file can hold is a float, so nothing is rounded.
std::vector<float> to_floats(Element element, std::span<const std::byte> stored);

// The values as stored numbers of a plain type, rounded to the nearest, ties to even. A NaN stays a
// NaN, and what is beyond the type's range becomes infinite.
std::vector<std::byte> from_floats(Element element, std::span<const float> values);

// What a float becomes in a plain type, as a float again.
float rounded(Element element, float value);

}  // namespace loratune
