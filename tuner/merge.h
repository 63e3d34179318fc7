// Makes one tuned file of several, which a fleet of machines or the shards of a sweep have written.
// The result depends on what the files say, and not on the order in which they come.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <tuple>

#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// Device, mode and problem. Records with equal keys must have one choice: in Mode::batch_invariant
// the problem of a key is without its m.
using FamilyKey = std::tuple<std::string, Mode, std::string>;
FamilyKey family_of(const Record& record);

// The union of the files.
// - Devices are one device where all that is recorded of them is equal, the driver included.
// - Of two records of one device, mode and problem, the stronger one stays: the record whose
// speed-up
//   over the default has the greater lower bound, then the record with more rounds. A time that
//   looked short once proves nothing.
// - Records of one file with equal keys stay or go together, compared by the strongest of them.
// - Where rules overlap, each shape takes the rule with the lower regret bound.
// - Of different tools the last in order is named.
//
// Merging the result with any of the files again changes nothing, since the names of devices and
// the cuts of rules depend on the content alone.
//
// Returns nothing, and a line in `why`, where two files know different sources of a kernel, or
// where the result would be beyond what a tuned file may hold.
std::optional<TunedFile> merge_tuned_files(std::span<const TunedFile> files, std::string& why);

}  // namespace loratune
