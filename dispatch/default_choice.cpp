#include "dispatch/default_choice.h"

#include <algorithm>

namespace loratune {

Choice default_choice(const Problem& problem, const DeviceInfo& device) {
  for (const char* name : {"tensor", "split", "naive"}) {
    const Variant* variant = find_variant(name);
    if (!variant->supports(problem, device)) continue;
    return {variant, variant->default_config(problem, device), DeviceMatch::none,
            ShapeMatch::fallback};
  }
  return {};  // unreachable: naive supports every problem on every device
}

std::vector<Choice> fallback_choices(const Problem& problem, const DeviceInfo& device) {
  std::vector<Choice> choices;
  const auto add = [&](const Choice& choice) {
    const bool known = std::any_of(choices.begin(), choices.end(), [&](const Choice& other) {
      return other.variant == choice.variant && other.config == choice.config;
    });
    if (!known) choices.push_back(choice);
  };
  DeviceInfo smaller = device;
  for (; smaller.max_work_group_size >= 1; smaller.max_work_group_size /= 2) {
    add(default_choice(problem, smaller));
    smaller.local_mem_bytes /= 2;
  }
  smaller.max_work_group_size = 1;
  const Variant* naive = find_variant("naive");
  add({naive, naive->default_config(problem, smaller), DeviceMatch::none, ShapeMatch::fallback});
  return choices;
}

}  // namespace loratune
