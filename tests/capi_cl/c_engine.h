// What the tests of the C interface with OpenCL share: an adapter, rows of x and y, and the product
// in double.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <loratune/loratune_cl.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "capi/c_api.h"
#include "engine/internal/opencl.h"
#include "loratune/dispatch/tuned_file.h"
#include "loratune/variants/variant.h"

namespace loratune {

// The driver's function of the name, for a test that puts one of its own in the place.
template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// PoCL's device, or by hand one of the platform that LORATUNE_TEST_DEVICE names.
inline const Device& test_device() {
  static const Device kDevice = [] {
    const char* named = std::getenv("LORATUNE_TEST_DEVICE");
    const std::string wanted = named == nullptr ? "Portable Computing Language" : named;
    std::vector<std::string> complaints;
    for (const Device& device : list_devices(complaints)) {
      if (device.info.platform.find(wanted) != std::string::npos) return device;
    }
    throw std::runtime_error("no device of " + wanted);
  }();
  return kDevice;
}

inline cl_context test_context() {
  static const Handle<cl_context> kContext = make_context(test_device().handle);
  return kContext.get();
}

inline constexpr std::int64_t kK = 96, kN = 80;
inline constexpr int kRank = 8;

using EngineHandle = std::unique_ptr<loratune_engine, decltype(&loratune_engine_destroy)>;
using WeightsHandle = std::unique_ptr<loratune_weights, decltype(&loratune_weights_destroy)>;
using OpHandle = std::unique_ptr<loratune_op, decltype(&loratune_op_destroy)>;
using PoolHandle = std::unique_ptr<loratune_pool, decltype(&loratune_pool_destroy)>;
using RouteHandle = std::unique_ptr<loratune_route, decltype(&loratune_route_destroy)>;

inline std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 20U) / 4096.0F - 0.5F;
  }
  return values;
}

inline Handle<cl_mem> buffer_of(const std::vector<float>& values) {
  return make_buffer(test_context(), 4 * values.size(), values.data());
}

inline EngineHandle engine(loratune_engine_options options = zeroed<loratune_engine_options>()) {
  options.context = test_context();
  options.device = test_device().handle;
  Text detail;
  loratune_engine* made = nullptr;
  EXPECT_EQ(loratune_engine_create(&options, &made, detail.out()), LORATUNE_SUCCESS)
      << detail.str();
  return {made, loratune_engine_destroy};
}

struct Adapter {
  explicit Adapter(int of_rank = kRank, unsigned seed = 1)
      : rank(of_rank),
        a(numbers(static_cast<std::size_t>(rank * kK), seed)),
        b(numbers(static_cast<std::size_t>(kN * rank), seed + 1)) {}
  loratune_weights_source source() const {
    auto source = zeroed<loratune_weights_source>();
    source.k = kK;
    source.n = kN;
    source.rank = rank;
    source.a = a.data();
    source.a_bytes = 4 * a.size();
    source.b = b.data();
    source.b_bytes = 4 * b.size();
    source.factor = 1;
    return source;
  }
  int rank;
  std::vector<float> a, b;
};

inline loratune_module_source module_of(const Adapter& adapter, float scale) {
  auto source = zeroed<loratune_module_source>();
  source.rank = adapter.rank;
  source.a = adapter.a.data();
  source.a_bytes = 4 * adapter.a.size();
  source.b = adapter.b.data();
  source.b_bytes = 4 * adapter.b.size();
  source.scale = scale;
  return source;
}

inline WeightsHandle weights(const EngineHandle& engine, const Adapter& adapter) {
  const loratune_weights_source source = adapter.source();
  loratune_weights* made = nullptr;
  Text detail;
  EXPECT_EQ(loratune_weights_create(engine.get(), &source, &made, detail.out()), LORATUNE_SUCCESS)
      << detail.str();
  return {made, loratune_weights_destroy};
}

inline OpHandle op(const EngineHandle& engine, std::int64_t m = 0, int rank = kRank) {
  auto problem = zeroed<loratune_problem>();
  problem.m = m;
  problem.k = kK;
  problem.n = kN;
  problem.rank = rank;
  loratune_op* made = nullptr;
  Text detail;
  EXPECT_EQ(loratune_op_create(engine.get(), &problem, &made, detail.out()), LORATUNE_SUCCESS)
      << detail.str();
  return {made, loratune_op_destroy};
}

// Slots for, and rows of, the problem that op() has.
inline PoolHandle pool_of(const EngineHandle& engine, std::int32_t slots) {
  auto problem = zeroed<loratune_problem>();
  problem.k = kK;
  problem.n = kN;
  problem.rank = kRank;
  loratune_pool* made = nullptr;
  EXPECT_EQ(loratune_pool_create(engine.get(), &problem, slots, &made, nullptr), LORATUNE_SUCCESS);
  return {made, loratune_pool_destroy};
}

inline RouteHandle route_of(const EngineHandle& engine, std::int64_t rows, std::int32_t slots) {
  loratune_route* made = nullptr;
  EXPECT_EQ(loratune_route_create(engine.get(), rows, slots, &made, nullptr), LORATUNE_SUCCESS);
  return {made, loratune_route_destroy};
}

// A tuned file by which `split`, whose two launches hand x A^T over in scratch, runs everything.
inline std::string file_of_split() {
  const Variant& split = *find_variant("split");
  Problem problem;
  problem.m = 16;
  problem.k = kK;
  problem.n = kN;
  problem.rank = kRank;
  TunedFile file;
  file.tool = {"test", "0", "0"};
  file.devices["d0"] = tuned_device(test_device().info);
  file.kernels["split"] = {std::string(split.source_sha256), split.revision};
  Rule rule;
  rule.device = "d0";
  rule.rank = {1, kRank};
  rule.m = {0, kMaxExtent};
  rule.k = rule.n = {1, 4096};
  rule.variant = "split";
  rule.config = named_config(split.space, split.default_config(problem, test_device().info));
  file.rules = {rule};
  return serialize(file);
}

// Adds to `y` what an adapter adds to it.
inline void add(const Adapter& adapter, double scale, const std::vector<float>& x,
                std::vector<double>& y) {
  const auto k = static_cast<std::size_t>(kK);
  const auto n = static_cast<std::size_t>(kN);
  const auto rank = static_cast<std::size_t>(adapter.rank);
  for (std::size_t row = 0; row < x.size() / k; ++row) {
    for (std::size_t r = 0; r < rank; ++r) {
      double h = 0;
      for (std::size_t i = 0; i < k; ++i) {
        h += static_cast<double>(x[row * k + i]) * static_cast<double>(adapter.a[r * k + i]);
      }
      for (std::size_t j = 0; j < n; ++j) {
        y[row * n + j] += scale * h * static_cast<double>(adapter.b[j * rank + r]);
      }
    }
  }
}

inline void expect_near(const std::vector<float>& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(got[i]), wanted[i], 1e-4 * (1 + std::abs(wanted[i]))) << i;
  }
}

// CallRows of x and y on the device, and a call for them.
struct CallRows {
  explicit CallRows(std::int64_t m, unsigned seed = 9)
      : x(numbers(static_cast<std::size_t>(m * kK), seed)),
        y(numbers(static_cast<std::size_t>(m * kN), seed + 1)),
        wanted(y.begin(), y.end()),
        queue(make_queue(test_context(), test_device().handle)),
        x_buffer(buffer_of(x)),
        y_buffer(buffer_of(y)) {
    call = zeroed<loratune_call>();
    call.scale = 0.5F;
    call.m = m;
    call.queue = queue.get();
    call.x = x_buffer.get();
    call.y = y_buffer.get();
  }
  std::vector<float> result() const {
    std::vector<float> values(y.size());
    read_buffer(queue.get(), y_buffer.get(), 0, 4 * values.size(), values.data());
    return values;
  }
  std::vector<float> x, y;
  std::vector<double> wanted;
  Handle<cl_command_queue> queue;
  Handle<cl_mem> x_buffer, y_buffer;
  loratune_call call{};
};

}  // namespace loratune
