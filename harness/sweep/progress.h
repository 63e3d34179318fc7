// What a sweep says of its work while it works.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "harness/base/terminal.h"

namespace loratune {

struct SweepProgress {
  std::size_t decided = 0, problems = 0;
  double elapsed_s = 0, left_s = 0;
  std::size_t tried = 0;  // configs that were checked, and probed where they are correct
  std::string problem;    // that is worked on; empty before the first
  std::string doing;      // what is done with it: "split A_TILE=4" is tried, "racing, round 3"
  double best = 0;        // default's time / the best config's, by their probes; 0 where unknown
  std::string note;       // to be told once, in a line that stays; empty for none
};

// A problem's key without the `fwd_` that may be left out.
std::string short_key(const std::string& key);

// The progress in one line of the terminal's width. What is tried stands last, because it is what
// may be cut off.
std::string progress_line(const SweepProgress& progress, const Terminal& terminal);

// Shows a sweep's progress: on a live terminal in one line that it writes over, ten times a second
// at most; elsewhere in a new line each time that problems were decided.
class ProgressDisplay {
 public:
  ProgressDisplay(std::FILE* to, const Terminal& terminal) : to_(to), terminal_(terminal) {}
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  // Takes the line off the terminal, before something else is written there.
  ~ProgressDisplay();

  // `now_s`: any clock's seconds.
  void show(const SweepProgress& progress, double now_s);

 private:
  std::FILE* to_;
  Terminal terminal_;
  double shown_s_ = -1e9;
  std::size_t decided_ = static_cast<std::size_t>(-1);
};

}  // namespace loratune
