// What a mode is on the command line: the words that choose it, and sets of modes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "harness/base/options.h"

namespace loratune {

// A set of modes, as an option names the modes that read it.
class ModeSet {
 public:
  constexpr ModeSet(std::initializer_list<Command> modes) {
    for (const Command mode : modes) bits_ |= bit(mode);
  }
  constexpr ModeSet operator|(ModeSet other) const {
    other.bits_ |= bits_;
    return other;
  }
  constexpr bool contains(Command mode) const { return (bits_ & bit(mode)) != 0; }
  constexpr bool meets(ModeSet other) const { return (bits_ & other.bits_) != 0; }

 private:
  static constexpr std::uint32_t bit(Command mode) { return 1U << static_cast<unsigned>(mode); }
  std::uint32_t bits_ = 0;
};

// The words that choose a mode, as messages name it: "--pick", "--replay of a recording".
std::string words_of(Command mode);

}  // namespace loratune
