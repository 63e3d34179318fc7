#include "loratune/variants/variant.h"

namespace loratune {

const Variant* find_variant(std::string_view name) {
  for (const Variant* variant : variants()) {
    if (variant->name == name) return variant;
  }
  return nullptr;
}

bool can_run(const Variant& variant, const Config& config, const Problem& problem,
             const DeviceInfo& device) {
  return contains(variant.space, config) && variant.supports(problem, device) &&
         variant.space.constraint(config, problem, device);
}

}  // namespace loratune
