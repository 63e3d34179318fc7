// Numbers as a problem's tensors store them: f32, f16 or bf16, and as floats. What is rounded goes
// to the nearest, ties to even; a NaN stays one, and what is beyond the range becomes infinite.
#pragma once

#include <cstdint>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

float from_half(std::uint16_t bits);
std::uint16_t to_half(float value);
float from_bfloat(std::uint16_t bits);
std::uint16_t to_bfloat(float value);

// Element `index` of storage at any address.
float load_element(Dtype dtype, const void* storage, std::int64_t index);
void store_element(Dtype dtype, void* storage, std::int64_t index, float value);

// `count` elements as floats.
std::vector<float> widened(Dtype dtype, const void* storage, std::int64_t count);

// `value` rounded to the type, as a float.
float round_to(Dtype dtype, float value);

}  // namespace loratune
