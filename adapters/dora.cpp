#include "loratune/adapters/dora.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace loratune {
namespace {

// The sum of x[i] * y[i], in double.
double dot(const float* x, const float* y, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * y[i];
  return sum;
}

}  // namespace

std::vector<double> dora_norms(const LoraLinear& layer, std::span<const float> w) {
  const std::int64_t rank = layer.rank;
  if (w.size() != static_cast<std::size_t>(layer.out * layer.in)) {
    throw std::invalid_argument("dora: w has not the size of the layer's weights");
  }
  const auto row_of_a = [&](std::int64_t j) { return layer.a.data() + j * layer.in; };
  std::vector<double> gram(static_cast<std::size_t>(rank * rank));  // A A^T
  for (std::int64_t i = 0; i < rank; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      const double sum = dot(row_of_a(i), row_of_a(j), layer.in);
      gram[static_cast<std::size_t>(i * rank + j)] = gram[static_cast<std::size_t>(j * rank + i)] =
          sum;
    }
  }
  std::vector<double> norms;
  norms.reserve(static_cast<std::size_t>(layer.out));
  for (std::int64_t row = 0; row < layer.out; ++row) {
    const float* const w_row = w.data() + row * layer.in;
    const float* const b_row = layer.b.data() + row * rank;
    double cross = 0;
    double change = 0;
    for (std::int64_t i = 0; i < rank; ++i) {
      cross += dot(w_row, row_of_a(i), layer.in) * b_row[i];
      double sum = 0;
      for (std::int64_t j = 0; j < rank; ++j) {
        sum += gram[static_cast<std::size_t>(i * rank + j)] * b_row[j];
      }
      change += sum * b_row[i];
    }
    const double square =
        dot(w_row, w_row, layer.in) + 2 * layer.scale * cross + layer.scale * layer.scale * change;
    norms.push_back(std::sqrt(std::max(square, 0.0)));  // rounding may leave less than nothing
  }
  return norms;
}

std::vector<float> dora_gains(const LoraLinear& layer, std::span<const float> w,
                              std::span<const float> magnitude) {
  if (magnitude.size() != static_cast<std::size_t>(layer.out)) {
    throw std::invalid_argument("dora: there is not one magnitude for each row");
  }
  const std::vector<double> norms = dora_norms(layer, w);
  std::vector<float> gains;
  gains.reserve(norms.size());
  for (std::size_t row = 0; row < norms.size(); ++row) {
    gains.push_back(norms[row] > 0 ? static_cast<float>(magnitude[row] / norms[row]) : 0.0F);
  }
  return gains;
}

}  // namespace loratune
