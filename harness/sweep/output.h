// From verdicts to the tuned file.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "harness/sweep/sweep.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

// One record a verdict, and the rules that the verdicts' races support. A problem whose default
// failed gets no record.
TunedFile make_tuned_file(std::span<const Decided> decided, Mode mode, const DeviceInfo& device,
                          const ToolInfo& tool);

// What a file has that cannot stand in another, which knows another source of the kernel: how many
// records and rules, by variant and name of the device.
struct Loss {
  int records = 0, rules = 0;
  bool operator==(const Loss&) const = default;
};
using Losses = std::map<std::pair<std::string, std::string>, Loss>;

// Lists the losses of the file at `path` on stderr. Throws Failure (kExitUsage) where one is of a
// variant that `forget` does not name.
void require_named(const Losses& losses, const std::vector<std::string>& forget,
                   const std::string& path);

// Throws Failure (kExitUsage) where `forget` names what is a variant neither of this build nor of
// one of the files.
void require_known(const std::vector<std::string>& forget, std::span<const TunedFile> files);

// Leaves one source of each kernel in the files, which `paths` names: this build's source where a
// file has it, else that of the first file. Lists as losses what goes with the other sources.
// Throws Failure (kExitUsage) where a loss is of a variant that `forget` does not name.
void keep_one_source(std::vector<TunedFile>& files, const std::vector<std::string>& paths,
                     const std::vector<std::string>& forget);

// `fresh` with what `earlier` knows of other devices, modes and problems added. Left behind are
// records and rules of kernels that have changed since, which are `losses`, and rules in or at
// whose box `fresh` has measured again. In Mode::batch_invariant, problems that differ only in m
// must have one choice: the earlier records of such problems stay only where `fresh` has none.
// An earlier file may list a device twice: of two records of one problem the first stays.
TunedFile merge_earlier(TunedFile fresh, const TunedFile& earlier, Losses& losses);

// The tuned file at `path`; nothing if there is no file, or an empty one. Throws Failure
// (kExitUsage) for what is no tuned file of this version.
std::optional<TunedFile> earlier_file(const std::string& path);

// Merges `fresh` with what the file at `path` holds at this moment and writes it there; returns
// what was written. Of two processes that do so at once one waits for the other, so that neither's
// records are lost. Throws Failure (kExitUsage), before anything is written, where that would lose
// what `forget` does not name, and where the other process is not done after `lock_wait_s` seconds.
TunedFile update_tuned_file(const std::string& path, const TunedFile& fresh,
                            const std::vector<std::string>& forget, double lock_wait_s = 30);

}  // namespace loratune
