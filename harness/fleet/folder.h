// The folder of a fleet's journals.
#pragma once

#include <filesystem>

namespace loratune {

// Makes the folder and locks it until the process ends, so that one sweep holds it at a time; with
// `resume` it is there already. Otherwise a folder of an earlier sweep is kept under another name.
// Throws Failure (kExitUsage) for a folder of a sweep that still runs, and for what is there and is
// no folder of journals alone: that is not ours to move or to write into.
void claim_folder(const std::filesystem::path& folder, bool resume);

}  // namespace loratune
