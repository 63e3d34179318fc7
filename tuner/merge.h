// Several tuned files as one: what a fleet of machines, or the shards of a sweep, have found.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <tuple>

#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// Device, mode and problem: equal for records that must have one choice, those of
// Mode::batch_invariant of one device that differ only in m.
using FamilyKey = std::tuple<std::string, Mode, std::string>;
FamilyKey family_of(const Record& record);

// The union of the files. Devices of which all that is recorded is equal, the driver included, are
// one device; others stand side by side. Of two records of one device, mode and problem the one
// stays whose speed-up over the default is greater at the lower end of its interval, then the one
// of more rounds: a time that looked short once proves nothing. A record stays whole, and so do one
// file's records that must have one choice, compared by the strongest of them. Where rules overlap,
// each shape takes the one with the lower regret bound.
//
// The result depends neither on the order of the files nor on which were merged first, and merging
// it again with any of them changes nothing: devices are named by their order, and rules cut, in a
// way that depends on the content alone. Of different tools the last in order is named.
//
// Nothing, and a line in `why`, where two files know different sources of a kernel, or where the
// result would be beyond what a tuned file may hold.
std::optional<TunedFile> merge_tuned_files(std::span<const TunedFile> files, std::string& why);

}  // namespace loratune
