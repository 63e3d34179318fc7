// Says what is wrong with a config that a user wrote.
#pragma once

#include <string>
#include <string_view>

#include "loratune/variants/search_space.h"

namespace loratune {

// Why parse_config() refuses the text: the parameters that are missing, or the first word that is
// unknown, given twice or has no such value. An empty string for a text that it takes.
std::string config_fault(const SearchSpace& space, std::string_view text);

}  // namespace loratune
