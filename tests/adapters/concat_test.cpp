// One layer of the sum of the ranks adds what several add one after the other.
#include "loratune/adapters/concat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

namespace loratune {
namespace {

class Concat : public testing::Test {
 protected:
  LoraLinear layer(std::int64_t rank, double alpha, Element element = Element::f16) {
    LoraLinear made = make_lora_linear(33, 21, rank, alpha, element, random_());
    std::normal_distribution<float> normal;
    for (float& value : made.b) value = normal(random_);
    round_parameters(made);
    return made;
  }

  std::vector<float> numbers(std::size_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) value = normal(random_);
    return values;
  }

  void expect_the_sum(const std::vector<WeightedLayer>& layers) {
    const std::vector<float> x = numbers(4 * 33);
    const std::vector<float> base = numbers(4 * 21);
    std::vector<float> want = base;
    for (const WeightedLayer& one : layers) forward_host(*one.layer, 4, x, want, one.factor);
    std::vector<float> got = base;
    forward_host(concat(layers), 4, x, got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], want[i], 1e-4 * (1 + std::fabs(want[i])));
    }
  }

  std::mt19937 random_{11};
};

TEST_F(Concat, OfOneScaleKeepsTheNumbers) {
  const LoraLinear four = layer(4, 8);
  const LoraLinear six = layer(6, 12);
  const std::vector<WeightedLayer> layers = {{&four}, {&six}};
  const LoraLinear sum = concat(layers);
  EXPECT_EQ(sum.rank, 10);
  EXPECT_EQ(sum.scale, 2);
  EXPECT_EQ(sum.element, Element::f16);
  EXPECT_EQ(sum.b[4], six.b[0]);
  EXPECT_EQ(sum.a[4 * 33], six.a[0]);
  expect_the_sum(layers);
}

TEST_F(Concat, OfScalesAndFactorsThatDiffer) {
  const LoraLinear one = layer(1, 3);
  const LoraLinear six = layer(6, 5, Element::f32);
  const LoraLinear four = layer(4, 8);
  const std::vector<WeightedLayer> layers = {{&one, 0.75}, {&six}, {&four, -0.5}};
  const LoraLinear sum = concat(layers);
  EXPECT_EQ(sum.rank, 11);
  EXPECT_EQ(sum.scale, 1);
  EXPECT_EQ(sum.element, Element::f32);
  expect_the_sum(layers);
}

TEST_F(Concat, OfNothingOrOtherExtentsIsRefused) {
  const LoraLinear one = layer(2, 2);
  const LoraLinear wide = make_lora_linear(33, 22, 2, 2);
  EXPECT_THROW(concat({}), std::invalid_argument);
  EXPECT_THROW(concat(std::vector<WeightedLayer>{{&one}, {&wide}}), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
