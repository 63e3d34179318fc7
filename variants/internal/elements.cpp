#include "variants/internal/elements.h"

#include <bit>
#include <cmath>
#include <cstring>

#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>

namespace loratune {

float from_half(std::uint16_t bits) {
  Imath::half half;
  half.setBits(bits);
  return half;
}

std::uint16_t to_half(float value) { return Imath::half(value).bits(); }

float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }

std::uint16_t to_bfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // Rounding could carry a NaN's bits into the sign, or leave those of an infinity.
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  const std::uint32_t odd = bits >> 16U & 1U;
  return static_cast<std::uint16_t>((bits + 0x7fffU + odd) >> 16U);
}

float load_element(Dtype dtype, const void* storage, std::int64_t index) {
  const auto* bytes = static_cast<const unsigned char*>(storage) + index * element_bytes(dtype);
  if (dtype == Dtype::f32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return dtype == Dtype::f16 ? from_half(bits) : from_bfloat(bits);
}

void store_element(Dtype dtype, void* storage, std::int64_t index, float value) {
  auto* bytes = static_cast<unsigned char*>(storage) + index * element_bytes(dtype);
  if (dtype == Dtype::f32) {
    std::memcpy(bytes, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = dtype == Dtype::f16 ? to_half(value) : to_bfloat(value);
  std::memcpy(bytes, &bits, sizeof bits);
}

std::vector<float> widened(Dtype dtype, const void* storage, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    values[static_cast<std::size_t>(i)] = load_element(dtype, storage, i);
  }
  return values;
}

float round_to(Dtype dtype, float value) {
  if (dtype == Dtype::f32) return value;
  return dtype == Dtype::f16 ? from_half(to_half(value)) : from_bfloat(to_bfloat(value));
}

}  // namespace loratune
