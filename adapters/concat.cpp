#include "loratune/adapters/concat.h"

#include <algorithm>
#include <stdexcept>

namespace loratune {

LoraLinear concat(std::span<const WeightedLayer> layers) {
  if (layers.empty()) throw std::invalid_argument("concat: there are no layers");
  const LoraLinear& first = *layers.front().layer;
  LoraLinear sum;
  sum.in = first.in;
  sum.out = first.out;
  sum.element = first.element;
  for (const auto& [layer, factor] : layers) {
    if (layer->in != sum.in || layer->out != sum.out) {
      throw std::invalid_argument("concat: the layers are of different extents");
    }
    sum.rank += layer->rank;
    if (layer->element != sum.element) sum.element = Element::f32;
  }
  const double scale = layers.front().factor * first.scale;
  const bool equal = std::all_of(layers.begin(), layers.end(), [&](const WeightedLayer& one) {
    return one.factor * one.layer->scale == scale;
  });
  sum.scale = equal ? scale : 1;
  sum.alpha = sum.scale * static_cast<double>(sum.rank);
  if (!equal) sum.element = Element::f32;
  for (const auto& [layer, factor] : layers) {
    sum.a.insert(sum.a.end(), layer->a.begin(), layer->a.end());
  }
  sum.b.reserve(static_cast<std::size_t>(sum.out * sum.rank));
  for (std::int64_t row = 0; row < sum.out; ++row) {
    for (const auto& [layer, factor] : layers) {
      const double own = equal ? 1 : factor * layer->scale;
      for (std::int64_t j = 0; j < layer->rank; ++j) {
        const double value = layer->b[static_cast<std::size_t>(row * layer->rank + j)];
        sum.b.push_back(static_cast<float>(own * value));
      }
    }
  }
  return sum;
}

}  // namespace loratune
