// Looks over the text of a JSON header before the parser does, so that no word of it can make the
// parser hold much memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loratune {

// What is wrong with a text of unknown origin, in words; empty for one that the parser may read: no
// zero byte (which the parser takes for the end), no string and no run of blanks longer than
// `longest`, and no number longer than 64 characters.
inline std::string oversized_word(std::string_view text, std::size_t longest) {
  constexpr std::size_t kNumber = 64;
  const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  const auto is_mark = [](char c) {
    return c == ',' || c == ':' || c == '"' || c == '[' || c == ']' || c == '{' || c == '}';
  };
  bool in_string = false;
  std::size_t string = 0, blanks = 0, number = 0;  // how long each has been until here
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return "holds a zero byte at " + std::to_string(i);
    const bool blank = !in_string && is_blank(c);
    const bool digit = !in_string && !blank && !is_mark(c);
    blanks = blank ? blanks + 1 : 0;
    number = digit ? number + 1 : 0;
    string = in_string ? string + 1 : 0;
    if (c == '"') in_string = !in_string;
    if (c == '\\' && in_string) ++i;
    if (string > longest)
      return "holds a string of more than " + std::to_string(longest) + " bytes";
    if (blanks > longest) return "holds more than " + std::to_string(longest) + " blanks in a row";
    if (number > kNumber) return "holds a number of more than 64 characters";
  }
  return {};
}

}  // namespace loratune
