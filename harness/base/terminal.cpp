#include "harness/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace loratune {
namespace {

const char* code_of(Style style) {
  switch (style) {
    case Style::good:
      return "\033[32m";
    case Style::strong:
      return "\033[1m";
    case Style::faint:
      return "\033[2m";
    case Style::plain:
      break;
  }
  return "";
}

}  // namespace

Terminal terminal_of(bool is_terminal, int columns, const TerminalVariables& variables) {
  Terminal terminal;
  const std::string_view term = variables.term != nullptr ? variables.term : "";
  terminal.live = is_terminal && !term.empty() && term != "dumb";
  terminal.colour = terminal.live && (variables.no_color == nullptr || *variables.no_color == '\0');
  if (columns > 0) terminal.width = columns;
  return terminal;
}

Terminal terminal_of(int file) {
  winsize size{};
  const bool known = ioctl(file, TIOCGWINSZ, &size) == 0;
  return terminal_of(isatty(file) != 0, known ? size.ws_col : 0,
                     {std::getenv("NO_COLOR"), std::getenv("TERM")});
}

std::string painted(const Terminal& terminal, std::string_view text, Style style) {
  if (!terminal.colour || style == Style::plain || text.empty()) return std::string(text);
  return code_of(style) + std::string(text) + "\033[0m";
}

std::string one_line(const Terminal& terminal, std::span<const Piece> pieces) {
  std::string line;
  std::size_t room = static_cast<std::size_t>(std::max(terminal.width - 1, 0));
  for (const Piece& piece : pieces) {
    const std::string_view shown = std::string_view(piece.text).substr(0, room);
    line += painted(terminal, shown, piece.style);
    room -= shown.size();
  }
  return line;
}

std::string bar(std::size_t done, std::size_t all, int width) {
  const auto places = static_cast<std::size_t>(std::max(width, 0));
  const std::size_t full = all == 0 ? places : std::min(done, all) * places / all;
  return "[" + std::string(full, '#') + std::string(places - full, '.') + "]";
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::max(seconds, 0.0));
  char text[40];
  if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return text;
}

}  // namespace loratune
