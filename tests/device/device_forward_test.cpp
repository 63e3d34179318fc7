#include "loratune/layers/device_forward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "test_engine.h"

namespace loratune {
namespace {

// The largest difference between the device's y and the host's, over the largest y.
double difference(DeviceForward& forward, const LoraLinear& layer, const Types& types,
                  std::int64_t m) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  const Element element = types.data == Dtype::f32   ? Element::f32
                          : types.data == Dtype::f16 ? Element::f16
                                                     : Element::bf16;
  std::vector<float> x(static_cast<std::size_t>(m * layer.in));
  std::vector<float> base(static_cast<std::size_t>(m * layer.out));
  for (float& value : x) value = rounded(element, normal(random));
  for (float& value : base) value = rounded(element, normal(random));
  std::vector<float> device = base;
  std::vector<float> host = base;
  forward.forward(layer, types, m, x, device);
  forward_host(layer, m, x, host);
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < host.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(host[i])));
    error = std::max(error, std::fabs(static_cast<double>(host[i]) - device[i]));
  }
  return error / largest;
}

LoraLinear trained(std::uint64_t seed) {
  LoraLinear layer = make_lora_linear(96, 80, 8, 16, Element::f16, seed);
  layer.b = make_lora_linear(80, 1, 8, 1, Element::f16, seed + 1).a;
  return layer;
}

TEST(DeviceForward, ComputesWhatTheHostDoes) {
  Engine& engine = test_engine();
  const Dispatcher dispatcher(engine.info());
  DeviceForward forward(engine, dispatcher);
  const LoraLinear one = trained(1);
  const LoraLinear other = trained(2);
  for (const std::int64_t m : {1, 5, 17}) {
    EXPECT_LE(difference(forward, one, Dtype::f32, m), 1e-5);
    EXPECT_LE(difference(forward, other, Dtype::f32, m), 1e-5);
    EXPECT_LE(difference(forward, one, Dtype::f16, m), 2 * 0x1p-11);
    // The layer's factors are numbers of f16, so these types hold them.
    EXPECT_LE(difference(forward, one, Types(Dtype::f32, Dtype::f16), m), 1e-5);
    EXPECT_LE(difference(forward, one, Types(Dtype::bf16, Dtype::f16), m), 2 * 0x1p-8);
  }
}

TEST(DeviceForward, BringsScratchWhereTheEngineHasNone) {
  const LoraLinear layer = trained(1);
  Problem problem;
  problem.m = 5;
  problem.k = layer.in;
  problem.n = layer.out;
  problem.rank = static_cast<int>(layer.rank);
  const std::unique_ptr<Engine> engine = engine_without_scratch();
  const Dispatcher dispatcher = dispatcher_of_split(problem);
  DeviceForward forward(*engine, dispatcher);
  EXPECT_LE(difference(forward, layer, Dtype::f32, problem.m), 1e-5);
}

TEST(DeviceForward, AChangedLayerIsPackedAgainOnceForgotten) {
  Engine& engine = test_engine();
  const Dispatcher dispatcher(engine.info());
  DeviceForward forward(engine, dispatcher);
  LoraLinear layer = trained(1);
  EXPECT_LE(difference(forward, layer, Dtype::f32, 3), 1e-5);
  layer.b[0] += 8;
  EXPECT_GT(difference(forward, layer, Dtype::f32, 3), 1e-3);
  forward.forget(layer);
  EXPECT_LE(difference(forward, layer, Dtype::f32, 3), 1e-5);
}

TEST(DeviceForward, RefusesWhatIsNoProblem) {
  Engine& engine = test_engine();
  const Dispatcher dispatcher(engine.info());
  DeviceForward forward(engine, dispatcher);
  const LoraLinear layer = trained(1);
  std::vector<float> x(96), y(80);
  EXPECT_THROW(forward.forward(layer, Dtype::f32, 2, x, y), std::invalid_argument);
  std::vector<float> none;
  forward.forward(layer, Dtype::f32, 0, none, none);
  LoraLinear wide = make_lora_linear(4, 4, 2000, 1);
  std::vector<float> four(4);
  EXPECT_THROW(forward.forward(wide, Dtype::f32, 1, four, four), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
