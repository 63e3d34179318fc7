// The names of modules in a config. Each stands for all modules whose paths end with it.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace loratune {

using ModuleNames = std::set<std::string, std::less<>>;

inline ModuleNames module_names(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// Whether the path is one of the names, or ends with `.` and one of them.
inline bool names_end_of(const ModuleNames& names, std::string_view path) {
  for (;;) {
    if (names.contains(path)) return true;
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) return false;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace loratune
