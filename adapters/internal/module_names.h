// The names of modules in a config. Each stands for all modules whose paths end with it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace loratune {

// In order, to find one among many, and in one text: as strings of their own, or as a set, they
// would take two to three times the memory.
class ModuleNames {
 public:
  ModuleNames() = default;
  explicit ModuleNames(std::vector<std::string_view> names) {
    std::sort(names.begin(), names.end());
    std::size_t size = 0;
    for (const std::string_view name : names) size += name.size();
    text_.reserve(size);
    ends_.reserve(names.size());
    for (const std::string_view name : names) ends_.push_back((text_ += name).size());
  }

  bool empty() const { return ends_.empty(); }
  bool contains(std::string_view name) const {
    std::size_t first = 0;
    for (std::size_t last = ends_.size(); first < last;) {
      const std::size_t middle = first + (last - first) / 2;
      const int order = at(middle).compare(name);
      if (order == 0) return true;
      (order < 0 ? first : last) = order < 0 ? middle + 1 : middle;
    }
    return false;
  }

 private:
  std::string_view at(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }

  std::string text_;
  std::vector<std::size_t> ends_;  // of each name in the text
};

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
