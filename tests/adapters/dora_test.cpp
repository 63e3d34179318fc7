// The norms of DoRA against those of W + scale * B A computed as it stands.
#include "loratune/adapters/dora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

namespace loratune {
namespace {

LoraLinear random_layer(std::int64_t in, std::int64_t out, std::int64_t rank) {
  LoraLinear layer = make_lora_linear(in, out, rank, 2.5, Element::f32, 3);
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (float& value : layer.b) value = normal(random);
  return layer;
}

std::vector<float> random_weights(const LoraLinear& layer) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  std::vector<float> w(static_cast<std::size_t>(layer.out * layer.in));
  for (float& value : w) value = normal(random);
  return w;
}

double norm_as_it_stands(const LoraLinear& layer, const std::vector<float>& w, std::int64_t row) {
  double square = 0;
  for (std::int64_t i = 0; i < layer.in; ++i) {
    double value = w[static_cast<std::size_t>(row * layer.in + i)];
    for (std::int64_t j = 0; j < layer.rank; ++j) {
      value += layer.scale * layer.b[static_cast<std::size_t>(row * layer.rank + j)] *
               layer.a[static_cast<std::size_t>(j * layer.in + i)];
    }
    square += value * value;
  }
  return std::sqrt(square);
}

TEST(Dora, NormsAreThoseOfTheChangedWeights) {
  const LoraLinear layer = random_layer(37, 11, 5);
  const std::vector<float> w = random_weights(layer);
  const std::vector<double> norms = dora_norms(layer, w);
  ASSERT_EQ(norms.size(), 11U);
  for (std::int64_t row = 0; row < layer.out; ++row) {
    const double want = norm_as_it_stands(layer, w, row);
    EXPECT_NEAR(norms[static_cast<std::size_t>(row)], want, 1e-12 * want);
  }
}

TEST(Dora, MagnitudesOverNormsAreTheFactors) {
  LoraLinear layer = random_layer(7, 3, 2);
  std::vector<float> w = random_weights(layer);
  // A row that is zero, and stays zero.
  std::fill_n(w.begin() + 7, 7, 0.0F);
  std::fill_n(layer.b.begin() + 2, 2, 0.0F);
  const std::vector<float> magnitude = {2.0F, 3.0F, -1.0F};
  const std::vector<float> gains = dora_gains(layer, w, magnitude);
  EXPECT_FLOAT_EQ(gains[0], static_cast<float>(2.0 / norm_as_it_stands(layer, w, 0)));
  EXPECT_EQ(gains[1], 0.0F);
  EXPECT_FLOAT_EQ(gains[2], static_cast<float>(-1.0 / norm_as_it_stands(layer, w, 2)));
}

// A row that the adapter all but takes back: the difference of large squares is not less than 0.
TEST(Dora, ARowThatIsTakenBackHasNoNormBelowZero) {
  LoraLinear layer = random_layer(64, 1, 1);
  std::vector<float> w(64);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<float>(-layer.scale * layer.b[0] * layer.a[i]);
  }
  const double norm = dora_norms(layer, w).front();
  EXPECT_GE(norm, 0.0);
  EXPECT_LT(norm, 1e-5);
}

TEST(Dora, WrongSizesAreRefused) {
  const LoraLinear layer = random_layer(7, 3, 2);
  EXPECT_THROW(dora_norms(layer, std::vector<float>(20)), std::invalid_argument);
  EXPECT_THROW(dora_gains(layer, std::vector<float>(21), std::vector<float>(2)),
               std::invalid_argument);
}

}  // namespace
}  // namespace loratune
