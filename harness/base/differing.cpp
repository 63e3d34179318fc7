#include "harness/base/differing.h"

#include <set>

namespace loratune {

using nlohmann::json;

std::string differing_members(const json& one, const json& other) {
  std::set<std::string> names;
  const auto compare = [&](const auto& self, const json& a, const json& b,
                           const std::string& within) -> void {
    json both = a;
    both.update(b);
    for (const auto& [name, value] : both.items()) {
      const bool shared = a.contains(name) && b.contains(name);
      if (shared && a[name] == b[name]) continue;
      if (within.empty() && shared && a[name].is_object() && b[name].is_object()) {
        self(self, a[name], b[name], name + ".");
      } else {
        names.insert(within + name);
      }
    }
  };
  compare(compare, one, other, "");
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

}  // namespace loratune
