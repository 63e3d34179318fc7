// What became of one config on one problem. The first six are the words of the T4 autotuning
// results schema.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace loratune {

enum class Outcome : std::uint8_t {
  correct,      // ran and agreed with the reference
  constraints,  // the device refuses it: the built kernel's own limits are below what the plan asks
  compile,      // did not build
  runtime,      // failed, or ended the process, while running
  timeout,      // passed its deadline
  correctness,  // ran and was wrong; it gets no time
  slow,         // correct, but so far behind at first sight that it was not raced
  skipped       // not tried; the reason stands beside it
};

constexpr std::string_view to_string(Outcome outcome) {
  constexpr std::string_view kNames[] = {"correct", "constraints", "compile", "runtime",
                                         "timeout", "correctness", "slow",    "skipped"};
  return kNames[static_cast<unsigned>(outcome)];
}

constexpr std::optional<Outcome> parse_outcome(std::string_view text) {
  for (unsigned i = 0; i <= static_cast<unsigned>(Outcome::skipped); ++i) {
    if (to_string(static_cast<Outcome>(i)) == text) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

}  // namespace loratune
