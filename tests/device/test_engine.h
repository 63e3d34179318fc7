// The device that device tests run on: PoCL's, since it is on every machine that runs them, or by
// hand the one that LORATUNE_TEST_DEVICE names.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "harness/base/selection.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/variant.h"

namespace loratune {

inline const Device& test_device() {
  static const Device kDevice = [] {
    const char* name = std::getenv("LORATUNE_TEST_DEVICE");
    return select_device(name == nullptr ? "Portable Computing Language" : name);
  }();
  return kDevice;
}

inline Engine& test_engine() {
  static Engine engine(test_device());
  return engine;
}

inline Handle<cl_command_queue> test_queue() {
  return make_queue(test_engine().context(), test_engine().device());
}

// A buffer with a copy of the values.
template <class T>
Handle<cl_mem> test_buffer(const std::vector<T>& values) {
  return make_buffer(test_engine().context(), values.size() * sizeof(T), values.data());
}

// An engine whose executables take scratch of the caller's.
inline std::unique_ptr<Engine> engine_without_scratch() {
  EngineOptions options;
  options.caller_scratch = true;
  return std::make_unique<Engine>(test_engine().context(), test_engine().device(), options);
}

// Picks `split`, whose two launches hand x A^T over in scratch, for problems of the kind.
inline Dispatcher dispatcher_of_split(const Problem& problem) {
  const Variant& split = *find_variant("split");
  const DeviceInfo& device = test_engine().info();
  TunedFile file;
  file.tool = {"test", "0", "0"};
  file.devices["d0"] = tuned_device(device);
  file.kernels["split"] = {std::string(split.source_sha256), split.revision};
  Rule rule;
  rule.device = "d0";
  rule.kind = kind_of(problem);
  rule.rank = {1, kMaxRank};
  rule.m = rule.k = rule.n = {1, kMaxExtent};
  rule.variant = "split";
  rule.config = named_config(split.space, split.default_config(problem, device));
  file.rules = {rule};
  return Dispatcher(std::move(file), device);
}

// The variants that take groups of modules on the device.
inline std::vector<const Variant*> group_variants() {
  std::vector<const Variant*> all(variants().begin(), variants().end());
  Problem group;
  group.m = 7;
  group.k = 203;
  group.n = 155;
  group.rank = 9;
  group.slices = {{61, 33, 61}, 3};
  std::erase_if(
      all, [&](const Variant* variant) { return !variant->supports(group, test_engine().info()); });
  return all;
}

}  // namespace loratune
