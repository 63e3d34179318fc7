// A Pattern is a regular expression as Python writes them, compiled to a machine that looks at each
// character of a name once: its time is the product of both lengths, whatever the expression.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace loratune {

// How many steps all patterns and matches together may still take.
using Steps = std::int64_t;

// Why an expression of Python's is not read: the machine can do no references to groups, no looking
// ahead or behind, no flags, and has bounds.
class UnreadPattern : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// Whether the byte continues a character of UTF-8 that an earlier byte began.
constexpr bool continues_character(char byte) { return (byte & 0xc0) == 0x80; }

class Pattern {
 public:
  // Throws UnreadPattern, and std::invalid_argument for text that is no expression in Python
  // either; both say the reason in words.
  explicit Pattern(std::string_view text);
  // The same, where each part of the machine that is made takes a step, though it be repeated into
  // nothing. Throws std::invalid_argument when `steps` are used up.
  Pattern(std::string_view text, Steps& steps);

  // Whether the expression matches at the begin of `name`, as Python's re.match(), or all of it, as
  // re.fullmatch(). `name` is UTF-8, and every character beyond ASCII counts as a letter. Throws
  // std::invalid_argument when `steps` are used up.
  bool matches_start(std::string_view name, Steps& steps) const;
  bool matches_all(std::string_view name, Steps& steps) const;

  // How re.match() matches at the begin of `name`, where several ways are possible: `begin` is
  // where the last of the named groups, which must not be repeated, begins; none where the group is
  // no part of the match. None where there is no match. Throws as matches_start().
  struct Match {
    std::optional<std::size_t> begin;
  };
  std::optional<Match> find_group(std::string_view name, Steps& steps) const;

  // How large the machine is. A part that is repeated no times has sets and no states.
  std::size_t size() const { return std::max(states_.size(), sets_.size()); }

 private:
  friend class PatternCompiler;
  enum class Kind : std::uint8_t { character, split, begin, end, group, accept };
  struct State {
    Kind kind = Kind::accept;
    std::uint32_t set = 0;              // of `character`: index into sets_
    std::uint32_t next = 0, other = 0;  // `other` only of `split`, which prefers `next`
  };
  enum class Want : std::uint8_t { start, all, group };
  std::optional<Match> run(std::string_view name, Want want, Steps& steps) const;

  std::vector<State> states_;
  std::vector<std::bitset<256>> sets_;
  std::uint32_t start_ = 0;
};

}  // namespace loratune
