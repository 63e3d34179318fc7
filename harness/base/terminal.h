// A Terminal is what a stream can show: whether a line may be written over, how wide it is, and
// whether it may have colour. A mode asks terminal_of() once, and hands the answer to the functions
// that make its text: they are told, and look at nothing themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace loratune {

struct Terminal {
  bool live = false;    // a person looks at it, and a line may be written over
  bool colour = false;  // never without `live`
  int width = 80;       // columns of a line
};

// The variables that say how a terminal is to be used; null where they are not set.
struct TerminalVariables {
  const char* no_color = nullptr;
  const char* term = nullptr;
};

// Of a stream that is a terminal or not, and `columns` wide; 0 where that is unknown. NO_COLOR, if
// it is not empty, means no colour. A terminal that TERM calls dumb, or that has no TERM, is not
// live.
Terminal terminal_of(bool is_terminal, int columns, const TerminalVariables& variables);

// Of an open file of this process.
Terminal terminal_of(int file);

enum class Style : std::uint8_t { plain, good, strong, faint };

struct Piece {
  std::string text;
  Style style = Style::plain;
};

// The text in its style, where the terminal has colour.
std::string painted(const Terminal& terminal, std::string_view text, Style style);

// The pieces one behind the other, cut off before the last column, since a line that fills its row
// wraps.
std::string one_line(const Terminal& terminal, std::span<const Piece> pieces);

// "[####....]", with `width` places between the brackets. Of nothing to do all is done.
std::string bar(std::size_t done, std::size_t all, int width);

// "0:42", "12:05", "1:00:00".
std::string clock_text(double seconds);

}  // namespace loratune
