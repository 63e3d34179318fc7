// Several adapters of one linear layer as one: with their A one below the other and their B side by
// side, the layer of the sum of the ranks adds what they add together.
//
// Threads: functions of values, which any number of threads may call at a time.
#pragma once

#include <span>

#include "loratune/adapters/lora_linear.h"

namespace loratune {

// An adapter's layer with a factor beside its scale, as users weigh adapters against one another.
struct WeightedLayer {
  const LoraLinear* layer = nullptr;
  double factor = 1;
};

// The layer that adds the sum over all of factor * scale * (x A^T) B^T. Where factor * scale is the
// same of all, that is its scale, and the factors are the layers' own numbers; else its scale is 1,
// each B is multiplied by what was its own, and the parameters are f32. Throws
// std::invalid_argument for no layers, or layers of different extents.
LoraLinear concat(std::span<const WeightedLayer> layers);

}  // namespace loratune
