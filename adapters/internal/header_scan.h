// Looks over the text of a JSON header before the parser does, so that no word of it can make the
// parser hold much memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loratune {

// What is wrong with a text of unknown origin, in words; empty for one that the parser may read: no
// zero byte (which the parser takes for the end), no string longer than `longest` and no number
// longer than 64 characters.
inline std::string oversized_word(std::string_view text, std::size_t longest) {
  constexpr std::size_t kNumber = 64;
  bool in_string = false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return "holds a zero byte at " + std::to_string(i);
    if (c == '"') {
      in_string = !in_string;
      length = 0;
    } else if (in_string) {
      if (c == '\\') ++i;
      if (++length > longest) return "a string is longer than " + std::to_string(longest);
    } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ',' || c == ':' ||
               c == '[' || c == ']' || c == '{' || c == '}') {
      length = 0;
    } else if (++length > kNumber) {
      return "a number is longer than " + std::to_string(kNumber) + " characters";
    }
  }
  return {};
}

}  // namespace loratune
