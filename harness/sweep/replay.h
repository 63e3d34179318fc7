// What a sweep came to; and how it comes to the same again from its journal, without a device.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/sweep/journal.h"
#include "harness/sweep/setup.h"
#include "harness/sweep/sweep.h"

namespace loratune {

struct SweepResult {
  SweepSetup setup;  // its problems: those of all journals
  std::vector<Decided> decided;
  Quarantine quarantine;
  bool whole = true;  // no journal ends before its sweep does
};

// The journal in the file, for a replay; tells on stderr what of it is damaged. Throws Failure
// (kExitUsage), with the file's name, for what is no journal, is empty, or is of a sweep that this
// build cannot replay.
JournalContent journal_to_replay(const std::string& path);

// What the journals hold. Those of one device, one build and the same options count as parts of one
// sweep, as far as none of their problems is in two of them: its rules are then made from all of
// their problems. A problem whose alignment an earlier build stated, though it is the element's
// own, counts as the one without. Throws Failure (kExitUsage) for what this build cannot replay.
std::vector<SweepResult> replay_journals(std::span<const JournalContent> journals);

}  // namespace loratune
