// No name may stand twice in a file.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "adapters/internal/bounded_sort.h"
#include "adapters/internal/fault.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

inline std::vector<std::string_view> names_of(const std::vector<Tensor>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const Tensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

// Throws AdapterFault.
inline void refuse_twice(std::string_view file, std::vector<std::string_view> names) {
  bounded_sort(names, std::less<>());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) refuse(file, *twice, "stands twice");
}

}  // namespace loratune
