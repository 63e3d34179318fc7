#include "loratune/adapters/lora_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "adapters/adapter_files.h"
#include "loratune/adapters/adapter_set.h"
#include "loratune/adapters/save_adapter.h"

namespace loratune {
namespace {

TEST(LoraLinear, AFreshLayerChangesNothing) {
  const LoraLinear layer = make_lora_linear(64, 48, 8, 16);
  EXPECT_EQ(layer.scale, 2);
  std::vector<float> x(2 * 64, 1), y(2 * 48, 3);
  forward_host(layer, 2, x, y);
  EXPECT_EQ(y, std::vector<float>(2 * 48, 3));
}

TEST(LoraLinear, AIsNormalWithDeviationOneOverTheRootOfIn) {
  const LoraLinear layer = make_lora_linear(4096, 8, 64, 16, Element::f32, 5);
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const float value : layer.a) {
    const double scaled = value * 64;
    sum += scaled;
    squares += scaled * scaled;
    fourth += std::pow(scaled, 4);
  }
  const auto count = static_cast<double>(layer.a.size());
  EXPECT_NEAR(sum / count, 0, 0.01);
  EXPECT_NEAR(squares / count, 1, 0.02);
  EXPECT_NEAR(fourth / count, 3, 0.1);
}

TEST(LoraLinear, TheSeedSaysWhatAIs) {
  EXPECT_EQ(make_lora_linear(64, 8, 4, 1, Element::f32, 1).a,
            make_lora_linear(64, 8, 4, 1, Element::f32, 1).a);
  EXPECT_NE(make_lora_linear(64, 8, 4, 1, Element::f32, 1).a,
            make_lora_linear(64, 8, 4, 1, Element::f32, 2).a);
}

TEST(LoraLinear, ParametersAreInOrderAndSetInPlace) {
  LoraLinear layer = make_lora_linear(6, 5, 4, 8, Element::bf16);
  const auto all = parameters(layer);
  EXPECT_EQ(all[0].name, "lora_a");
  EXPECT_EQ(all[1].name, "lora_b");
  EXPECT_EQ(all[0].values.size() + all[1].values.size(),
            static_cast<std::size_t>(parameter_count(layer)));
  all[1].values[0] = 1.0001F;
  round_parameters(layer);
  EXPECT_EQ(layer.b[0], 1.0F);
}

TEST(LoraLinear, ForwardIsTheProduct) {
  LoraLinear layer = make_lora_linear(2, 2, 1, 3);
  layer.a = {1, 2};
  layer.b = {5, 7};
  std::vector<float> y = {100, 200};
  forward_host(layer, 1, std::vector<float>{10, 20}, y);
  EXPECT_EQ(y, (std::vector<float>{100 + 3 * 50 * 5, 200 + 3 * 50 * 7}));
  EXPECT_THROW(forward_host(layer, 2, std::vector<float>{10, 20}, y), std::invalid_argument);
}

TEST(LoraLinear, RefusesShapesThatAreNone) {
  EXPECT_THROW(make_lora_linear(0, 1, 1, 1), std::invalid_argument);
  EXPECT_THROW(make_lora_linear(1, 1, 0, 1), std::invalid_argument);
  EXPECT_THROW(make_lora_linear(32, 32, 32, 1, Element::q8_0), std::invalid_argument);
}

TEST(AdapterSet, HoldsSeveralAdaptersEachWithAFactor) {
  LoraLinear one = make_lora_linear(1, 1, 1, 1);
  one.a = {1};
  one.b = {1};
  LoraLinear ten = one;
  ten.b = {10};
  AdapterSet set;
  EXPECT_TRUE(set.attach("one", {{"q", one}, {"v", one}}));
  EXPECT_TRUE(set.attach("ten", {{"q", ten}}));
  EXPECT_FALSE(set.attach("ten", {}));
  EXPECT_EQ(set.names(), (std::vector<std::string>{"one", "ten"}));
  const std::vector<AdapterUse> uses = {{"one", 1}, {"ten", 0.5}};
  std::vector<float> y = {100};
  set.forward_host("q", uses, 1, std::vector<float>{2}, y);
  EXPECT_EQ(y[0], 100 + 2 + 10);
  set.forward_host("v", uses, 1, std::vector<float>{2}, y);
  EXPECT_EQ(y[0], 112 + 2);
  EXPECT_TRUE(set.detach("ten"));
  EXPECT_FALSE(set.detach("ten"));
  EXPECT_EQ(set.find("ten", "q"), nullptr);
  EXPECT_THROW(set.forward_host("q", uses, 1, std::vector<float>{2}, y), std::invalid_argument);
  set.find("one", "q")->b[0] = 4;
  EXPECT_EQ(set.find("one", "q")->b[0], 4);
}

TEST(AdapterSet, LayersAreSavedAndLoaded) {
  for (const Element element : {Element::f32, Element::f16, Element::bf16}) {
    Layers layers;
    layers.emplace("layers.0.q_proj", make_lora_linear(16, 12, 4, 8, element, 1));
    layers.emplace("layers.1.q_proj", make_lora_linear(16, 12, 4, 8, element, 2));
    const TemporaryFolder folder;
    const std::string path = (folder / "saved").string();
    ASSERT_EQ(save_adapter(adapter_of(layers), Format::mlx_lm, path), "");
    const LoadedAdapter loaded = load_adapter(path);
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    const Layers again = layers_of(*loaded.adapter);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again.at("layers.1.q_proj").a, layers.at("layers.1.q_proj").a);
    EXPECT_EQ(again.at("layers.1.q_proj").element, element);
    EXPECT_EQ(again.at("layers.0.q_proj").scale, 2);
  }
}

}  // namespace
}  // namespace loratune
