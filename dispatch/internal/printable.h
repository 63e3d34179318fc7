// Text of unknown origin, made fit to be echoed in a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loratune {

// At most `limit` bytes of the text in printable ASCII, others as \xNN, `...` where it was cut.
inline std::string printable(std::string_view text, std::size_t limit = 60) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xfU];
    }
  }
  if (text.size() > limit) out += "...";
  return out;
}

// A whole message as one line in printable ASCII: a line break is a blank, other bytes are \xNN.
// What printable() has made is left as it is.
inline std::string printable_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    const bool blank = c == '\n' || c == '\t' || c == '\r';
    line += blank ? " " : c == '\\' ? std::string(1, c) : printable({&c, 1});
  }
  return line;
}

}  // namespace loratune
