// Reads JSON that may come from anywhere into a small tree, whose objects keep the order of the
// text: depth, sizes and number of values are bounded, and a member that stands twice is an error.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

namespace loratune {

// How large a tree may become. `text` is in bytes and of strings and keys; `values` are all of
// them.
struct JsonBounds {
  std::size_t bytes, depth, text, members, elements, values;
};

// Throws std::invalid_argument, with a printable line that says where.
nlohmann::ordered_json read_json_tree(std::string_view bytes, const JsonBounds& bounds);

}  // namespace loratune
