#include "loratune/adapters/lora_linear.h"

#include <cmath>
#include <numbers>
#include <random>
#include <stdexcept>

namespace loratune {
namespace {

// Normal numbers by the method of Box and Muller. std::normal_distribution may differ from one
// standard library to the next.
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : random_(seed) {}
  double operator()() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1p-53; }
  std::mt19937_64 random_;
};

std::size_t count(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

}  // namespace

LoraLinear make_lora_linear(std::int64_t in, std::int64_t out, std::int64_t rank, double alpha,
                            Element element, std::uint64_t seed) {
  if (in < 1 || out < 1 || rank < 1) {
    throw std::invalid_argument("a LoRA layer wants extents and a rank of 1 or more");
  }
  if (!is_plain(element)) throw std::invalid_argument("a quantised layer cannot be trained");
  LoraLinear layer;
  layer.in = in;
  layer.out = out;
  layer.rank = rank;
  layer.alpha = alpha;
  layer.scale = alpha / static_cast<double>(rank);
  layer.element = element;
  layer.a.resize(count(rank, in));
  layer.b.resize(count(out, rank));
  Normal normal(seed);
  const double deviation = 1 / std::sqrt(static_cast<double>(in));
  for (float& value : layer.a) value = rounded(element, static_cast<float>(deviation * normal()));
  return layer;
}

LoraLinear lora_linear(const LoraModule& module) {
  const bool plain = is_plain(module.a.element) && module.a.element == module.b.element;
  LoraLinear layer;
  layer.in = module.in();
  layer.out = module.out();
  layer.rank = module.rank();
  layer.alpha = module.alpha;
  layer.scale = module.scale;
  layer.element = plain ? module.a.element : Element::f32;
  layer.a = values_of(module.a);
  layer.b = values_of(module.b);
  return layer;
}

std::array<LoraParameter, 2> parameters(LoraLinear& layer) {
  return {{{"lora_a", layer.rank, layer.in, layer.a}, {"lora_b", layer.out, layer.rank, layer.b}}};
}

std::int64_t parameter_count(const LoraLinear& layer) {
  return layer.rank * (layer.in + layer.out);
}

void round_parameters(LoraLinear& layer) {
  for (const LoraParameter& parameter : parameters(layer)) {
    for (float& value : parameter.values) value = rounded(layer.element, value);
  }
}

void forward_host(const LoraLinear& layer, std::int64_t m, std::span<const float> x,
                  std::span<float> y, double factor) {
  if (x.size() != count(m, layer.in) || y.size() != count(m, layer.out)) {
    throw std::invalid_argument("x or y has not the size of m rows of the layer");
  }
  const auto scale = static_cast<float>(factor * layer.scale);
  std::vector<float> h(static_cast<std::size_t>(layer.rank));
  for (std::int64_t row = 0; row < m; ++row) {
    const float* x_row = x.data() + row * layer.in;
    for (std::int64_t r = 0; r < layer.rank; ++r) {
      const float* a_row = layer.a.data() + r * layer.in;
      float sum = 0;
      for (std::int64_t k = 0; k < layer.in; ++k) sum += x_row[k] * a_row[k];
      h[static_cast<std::size_t>(r)] = sum;
    }
    for (std::int64_t n = 0; n < layer.out; ++n) {
      const float* b_row = layer.b.data() + n * layer.rank;
      float sum = 0;
      for (std::int64_t r = 0; r < layer.rank; ++r) {
        sum += h[static_cast<std::size_t>(r)] * b_row[r];
      }
      y[static_cast<std::size_t>(row * layer.out + n)] += scale * sum;
    }
  }
}

}  // namespace loratune
