#include "dispatch/default_choice.h"

namespace loratune {

Choice default_choice(const Problem& problem, const DeviceInfo& device) {
  for (const char* name : {"split", "naive"}) {
    const Variant* variant = find_variant(name);
    if (!variant->supports(problem, device)) continue;
    return {variant, variant->default_config(problem, device), DeviceMatch::none,
            ShapeMatch::fallback};
  }
  return {};  // unreachable: naive supports every problem on every device
}

}  // namespace loratune
