// An AdapterSet holds the layers of several adapters at once, by the adapter's name and the
// module's path, as a runtime that serves them does.
//
// Threads: any number of threads may call const members at a time, and none while another one
// attaches, detaches or writes to a layer.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loratune/adapters/adapter.h"
#include "loratune/adapters/lora_linear.h"

namespace loratune {

// The layers of one adapter by path, `layers.3.self_attn.q_proj`.
using Layers = std::map<std::string, LoraLinear, std::less<>>;

// The layers of the modules that the adapter's config names. Throws std::runtime_error where
// changed_file() names a file.
Layers layers_of(const Adapter& adapter);
// The layers as an adapter that save_adapter() writes. The copy holds its own bytes.
Adapter adapter_of(const Layers& layers);

// An adapter of the set that a product uses, and how strongly.
struct AdapterUse {
  std::string adapter;
  double factor = 1;
};

class AdapterSet {
 public:
  // False where there is an adapter of that name.
  bool attach(const std::string& name, Layers layers);
  // False where there is none.
  bool detach(std::string_view name);
  std::vector<std::string> names() const;

  // Null where the adapter is not there or has no such module, which then is the base alone.
  const LoraLinear* find(std::string_view adapter, std::string_view path) const;
  LoraLinear* find(std::string_view adapter, std::string_view path);

  // y[m,out] += the sum of what these adapters add to the module, each times its factor. Throws
  // std::invalid_argument for an adapter that is not attached: its rows would be wrong in silence.
  void forward_host(std::string_view path, std::span<const AdapterUse> uses, std::int64_t m,
                    std::span<const float> x, std::span<float> y) const;

 private:
  std::map<std::string, Layers, std::less<>> adapters_;
};

}  // namespace loratune
