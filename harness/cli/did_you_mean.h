// Names the option that a mistyped word was meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace loratune {

// The name nearest to `word`, if at most two letters have to be changed, added or left out; else an
// empty string. Of equally near names the first is taken.
std::string did_you_mean(std::string_view word, std::span<const std::string> names);

}  // namespace loratune
