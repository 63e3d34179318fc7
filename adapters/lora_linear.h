// A LoraLinear is the trainable part of one linear layer: y = base + scale * (x A^T) B^T, with
// A[rank,in] and B[out,rank]. The base is the runtime's: frozen, perhaps quantised, perhaps none.
//
// Threads: plain data, which any number of threads may read while none writes to it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loratune/adapters/adapter.h"

namespace loratune {

// The parameters as floats, each a number of the element type; row by row.
struct LoraLinear {
  std::int64_t in = 0, out = 0, rank = 0;
  double alpha = 0, scale = 0;
  Element element = Element::f32;
  std::vector<float> a, b;
};

// A fresh layer: A normal with deviation 1 / sqrt(in), B zero, so that it changes nothing yet. The
// same seed gives the same A. Throws std::invalid_argument for extents or a rank below 1, and for
// an element type that is not plain.
LoraLinear make_lora_linear(std::int64_t in, std::int64_t out, std::int64_t rank, double alpha,
                            Element element = Element::f32, std::uint64_t seed = 0);

// The layer of a module that was read. Quantised factors become f32. Magnitudes of DoRA are no part
// of it.
LoraLinear lora_linear(const LoraModule& module);

// What is trained, in the order of names. `values` may be written to; round_parameters() then makes
// them numbers of the element type again.
struct LoraParameter {
  std::string_view name;
  std::int64_t rows, cols;
  std::span<float> values;
};
std::array<LoraParameter, 2> parameters(LoraLinear& layer);
std::int64_t parameter_count(const LoraLinear& layer);
void round_parameters(LoraLinear& layer);

// y[m,out] += factor * scale * (x[m,in] A^T) B^T on the host, all row by row. `y` holds what the
// base gave, or zeros. A plain loop: sums in float, x A^T of one row at a time.
void forward_host(const LoraLinear& layer, std::int64_t m, std::span<const float> x,
                  std::span<float> y, double factor = 1);

}  // namespace loratune
