// Which files an adapter is made of, and which tool wrote them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loratune/adapters/adapter.h"

namespace loratune {

// `format` is what the names of the files say, or the caller; none where only the config or the
// keys can tell. `others` are further files that go-mlx would read and mlx-lm would not.
struct Source {
  std::string path;
  std::optional<Format> format;
  std::vector<std::string> files;
  std::vector<std::string> others;
  std::string config;  // empty where there is none
};

// Throws AdapterFault for a path that is no file and no folder with an adapter.
Source find_source(const std::string& path, std::optional<Format> format);

}  // namespace loratune
