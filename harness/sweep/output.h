// From verdicts to the tuned file.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "harness/sweep/sweep.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// One record a verdict, and the rules that the verdicts' races support. A problem whose default
// failed gets no record.
TunedFile make_tuned_file(std::span<const Decided> decided, Mode mode, const DeviceInfo& device,
                          const ToolInfo& tool);

// `fresh` with what `earlier` knows of other devices, modes and problems added. Left behind are
// records and rules of kernels that have changed since, of which `dropped` counts the records, and
// rules in or at whose box `fresh` has measured again. Of problems that must have one
// choice, those of Mode::batch_invariant that differ only in m, the earlier file's stay only where
// `fresh` has none. An earlier file may list a device twice: of two records of one problem the
// first stays.
TunedFile merge_earlier(TunedFile fresh, const TunedFile& earlier, int& dropped);

// The tuned file at `path`; nothing if there is no file. Throws Failure (kExitUsage) for what is no
// tuned file of this version.
std::optional<TunedFile> earlier_file(const std::string& path);

// Merges `fresh` with what the file at `path` holds at this moment and writes it there; returns
// what was written. Of two processes that do so at once one waits for the other, so that neither's
// records are lost. Throws Failure (kExitUsage).
TunedFile update_tuned_file(const std::string& path, const TunedFile& fresh, int& dropped);

}  // namespace loratune
