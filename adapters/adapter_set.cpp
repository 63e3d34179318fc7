#include "loratune/adapters/adapter_set.h"

#include <memory>
#include <stdexcept>
#include <utility>

#include "adapters/internal/fault.h"

namespace loratune {

Layers layers_of(const Adapter& adapter) {
  if (const std::string changed = changed_file(adapter); !changed.empty()) {
    throw std::runtime_error(changed);
  }
  Layers layers;
  for (const LoraModule& module : adapter.modules) {
    if (module.matched) layers.emplace(module.path, lora_linear(module));
  }
  return layers;
}

Adapter adapter_of(const Layers& layers) {
  auto storage = std::make_shared<std::vector<std::vector<std::byte>>>();
  const auto factor = [&](Element element, std::int64_t rows, std::int64_t cols,
                          const std::vector<float>& values) {
    storage->push_back(from_floats(element, values));
    return Factor{element, rows, cols, false, storage->back()};
  };
  Adapter adapter;
  for (const auto& [path, layer] : layers) {
    LoraModule module;
    module.path = path;
    module.a = factor(layer.element, layer.rank, layer.in, layer.a);
    module.b = factor(layer.element, layer.out, layer.rank, layer.b);
    module.alpha = layer.alpha;
    module.scale = layer.scale;
    adapter.modules.push_back(std::move(module));
  }
  adapter.storage = std::move(storage);
  return adapter;
}

bool AdapterSet::attach(const std::string& name, Layers layers) {
  return adapters_.emplace(name, std::move(layers)).second;
}

bool AdapterSet::detach(std::string_view name) {
  const auto at = adapters_.find(name);
  if (at == adapters_.end()) return false;
  adapters_.erase(at);
  return true;
}

std::vector<std::string> AdapterSet::names() const {
  std::vector<std::string> names;
  for (const auto& [name, layers] : adapters_) names.push_back(name);
  return names;
}

const LoraLinear* AdapterSet::find(std::string_view adapter, std::string_view path) const {
  const auto layers = adapters_.find(adapter);
  if (layers == adapters_.end()) return nullptr;
  const auto layer = layers->second.find(path);
  return layer == layers->second.end() ? nullptr : &layer->second;
}

LoraLinear* AdapterSet::find(std::string_view adapter, std::string_view path) {
  return const_cast<LoraLinear*>(std::as_const(*this).find(adapter, path));
}

void AdapterSet::forward_host(std::string_view path, std::span<const AdapterUse> uses,
                              std::int64_t m, std::span<const float> x, std::span<float> y) const {
  for (const AdapterUse& use : uses) {
    if (adapters_.find(use.adapter) == adapters_.end()) {
      throw std::invalid_argument("adapter " + in_quotes(use.adapter) + " is not attached");
    }
  }
  for (const AdapterUse& use : uses) {
    const LoraLinear* layer = find(use.adapter, path);
    if (layer != nullptr) loratune::forward_host(*layer, m, x, y, use.factor);
  }
}

}  // namespace loratune
