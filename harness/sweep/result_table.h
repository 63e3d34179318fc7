// The end of a sweep, for people: a table of its records, what they come to together, and what to
// do next.
#pragma once

#include <string>

#include "harness/base/terminal.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// A line for each record, of 100 columns at most; where a problem and a variant have longer names,
// the record takes two lines. A choice that was proven faster than the default is painted.
std::string result_table(const TunedFile& file, const Terminal& terminal);

// How many records came to what, then the commands that go on from the file at `path`, one a line.
std::string next_steps(const TunedFile& file, const std::string& path);

}  // namespace loratune
