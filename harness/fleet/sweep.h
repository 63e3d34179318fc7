// What each rank of a fleet knows, and its sweeping of one portion of the problems.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/sweep/journal.h"
#include "harness/sweep/setup.h"

namespace loratune {

struct Fleet {
  Options options;  // with this rank's device
  SweepSetup setup;
  std::string place;  // of the device
  std::filesystem::path folder;
  std::vector<std::vector<Problem>> portions;

  std::string journal(std::size_t portion) const {
    return (folder / (to_string(portions[portion].front()) + ".journal")).string();
  }
  SweepSetup setup_of(std::size_t portion, double budget_s) const {
    SweepSetup part = setup;
    part.options.problems = portions[portion];
    part.options.budget_s = budget_s;
    return part;
  }
};

// A portion's journal, and the sweep that it is of.
struct PortionSweep {
  SweepSetup setup;
  Journal journal;
};

// What the journal of a portion holds; nothing where there is none, or none whose header is whole.
std::optional<JournalContent> journal_there(const std::string& path);

// Goes on with a portion's journal, with the budget and the device that it began with, or begins
// one in `budget_s`. Throws Failure (kExitUsage), also for a journal of another sweep.
PortionSweep open_portion(const Fleet& fleet, std::size_t portion, double budget_s);

// Sweeps the portion in a process of its own, which ends with the caller; its exit code is
// kExitGood where all is decided. It uses neither MPI nor OpenCL, which do not outlive a fork; its
// worker is started afresh. `rank` is for its complaints. Below 0 where no process could be
// started.
pid_t start_sweep(const Fleet& fleet, int rank, std::size_t portion, double budget_s);

}  // namespace loratune
