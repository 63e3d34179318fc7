// Chooses the rivals that --bench times on a problem.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/bench/bench_options.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

// A rival is a plan of ours by `choice`. Without a choice it is another library or an empty launch,
// which the name tells.
struct Rival {
  std::string name;
  std::optional<Choice> choice;
};

// The rivals in the order in which they are shown; `tuned` may be null. A variant that repeats so
// much of the work that a run takes seconds is left out, and so is a library that this build does
// not have. Throws std::invalid_argument for more variants than one round holds.
std::vector<Rival> list_rivals(const Problem& problem, const DeviceInfo& device,
                               const BenchOptions& options, const Dispatcher* tuned);

}  // namespace loratune
