#include "harness/sweep/output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "loratune/dispatch/device_match.h"
#include "tuner/merge.h"
#include "tuner/rules.h"

namespace loratune {
namespace {

KernelInfo kernel_of(const Variant& variant) {
  return {std::string(variant.source_sha256), variant.revision};
}

Record make_record(const Decided& one, Mode mode) {
  const Candidate& chosen = one.candidates[static_cast<std::size_t>(one.verdict.choice)];
  Record record;
  record.device = "d0";
  record.mode = mode;
  record.problem = one.problem;
  record.variant = chosen.variant->name;
  record.config = named_config(chosen.variant->space, chosen.config);
  record.time_ns = std::llround(one.verdict.time_ns);
  record.default_ns = std::llround(one.verdict.default_ns);
  record.speedup = one.verdict.speedup;
  record.speedup_lo = one.verdict.speedup_low;
  record.speedup_hi = one.verdict.speedup_high;
  record.level = one.verdict.level;
  record.rounds = one.verdict.rounds;
  record.error_over_bound = one.verdict.error_over_bound;
  record.seen = one.seen;
  record.reason = one.verdict.reason;
  return record;
}

std::vector<Rule> rules_of(std::span<const Decided> decided, Mode mode, const DeviceInfo& device) {
  std::vector<MeasuredProblem> measured;
  for (const Decided& one : decided) {
    // Problems that had to have the same choice count once.
    const Problem problem = regardless_of_m(one.problem, mode);
    const bool known = std::any_of(measured.begin(), measured.end(),
                                   [&](const auto& other) { return other.problem == problem; });
    if (!known) measured.push_back({problem, one.candidates, one.log_ratios});
  }
  std::vector<Rule> rules;
  for (const RuleRange& range : make_rules(measured, device)) {
    Rule rule;
    rule.device = "d0";
    rule.mode = mode;
    rule.kind = range.kind;
    rule.rank = range.rank;
    rule.m = mode == Mode::batch_invariant ? Range{1, kMaxExtent} : range.m;
    rule.k = range.k;
    rule.n = range.n;
    rule.variant = range.choice.variant->name;
    rule.config = named_config(range.choice.variant->space, range.choice.config);
    rule.regret_bound = range.regret_bound;
    rules.push_back(std::move(rule));
  }
  return rules;
}

// Whether the file measured within the rule's box or at its edge, where the rule's own evidence
// stands.
bool measured_again(const Rule& rule, const TunedFile& file) {
  const auto holds = [](const Range& range, std::int64_t value) {
    return range.lo - 1 <= value && value <= range.hi + 1;
  };
  return std::any_of(file.records.begin(), file.records.end(), [&](const Record& record) {
    const Problem& p = record.problem;
    return record.device == rule.device && record.mode == rule.mode && kind_of(p) == rule.kind &&
           p.align == 0 && holds(rule.m, p.m) && holds(rule.k, p.k) && holds(rule.n, p.n) &&
           rule.rank.lo <= p.rank && p.rank <= rule.rank.hi;
  });
}

// The folder of the file itself, behind the links that atomic_write follows too: who writes it
// through a link and who does not lock the same folder.
std::filesystem::path folder_of(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::path itself = file;
  if (std::filesystem::is_symlink(file, error)) itself = std::filesystem::canonical(file, error);
  if (error) itself = file;  // a link that leads nowhere, which cannot be written either
  return itself.has_parent_path() ? itself.parent_path() : std::filesystem::path(".");
}

// Held by whoever changes a file in the folder. The folder itself is locked: the file is replaced
// by another one with every write. Where the file system has no locks it holds nothing.
class FolderLock {
 public:
  // Waits for another holder, which may be no lora-bench and may never end: for `wait_s` seconds,
  // until it is interrupted, or for a second where it was before. Throws Failure (kExitUsage) then.
  FolderLock(const std::filesystem::path& file, double wait_s) {
    const std::filesystem::path folder = folder_of(file);
    fd_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const double began = seconds_now();
    const bool interrupted_before = interrupted();
    if (interrupted_before) wait_s = std::min(wait_s, 1.0);
    bool told = false;
    while (fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) != 0 &&
           (errno == EWOULDBLOCK || errno == EINTR)) {
      const double waited = seconds_now() - began;
      const std::string held = "another process holds a lock (flock) of the folder '" +
                               printable(folder.string(), 200) + "'";
      if (waited >= wait_s || interrupted() != interrupted_before) {
        close(fd_);
        throw Failure(kExitUsage,
                      held + ": '" + printable(file.string(), 200) + "' was not written");
      }
      if (!told && waited >= 1) std::fprintf(stderr, "waiting: %s\n", held.c_str());
      told = told || waited >= 1;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_ = -1;
};

}  // namespace

TunedFile make_tuned_file(std::span<const Decided> decided, Mode mode, const DeviceInfo& device,
                          const ToolInfo& tool) {
  TunedFile file;
  file.tool = tool;
  file.devices["d0"] = tuned_device(device);
  for (const Decided& one : decided) {
    if (one.verdict.reason != "default_failed") file.records.push_back(make_record(one, mode));
  }
  file.rules = rules_of(decided, mode, device);
  for (const Record& record : file.records) file.kernels[record.variant] = {};
  for (const Rule& rule : file.rules) file.kernels[rule.variant] = {};
  for (auto& [name, kernel] : file.kernels) kernel = kernel_of(*find_variant(name));
  std::sort(file.records.begin(), file.records.end(), file_order);
  return file;
}

void require_named(const Losses& losses, const std::vector<std::string>& forget,
                   const std::string& path) {
  std::string unnamed;
  for (const auto& [of, loss] : losses) {
    const auto& [variant, device] = of;
    std::fprintf(stderr, "'%s' loses %d records and %d rules of %s of another build, on %s\n",
                 printable(path, 200).c_str(), loss.records, loss.rules, variant.c_str(),
                 printable(device, 200).c_str());
    const bool named = std::find(forget.begin(), forget.end(), variant) != forget.end();
    const bool listed = ("," + unnamed + ",").find("," + variant + ",") != std::string::npos;
    if (!named && !listed) unnamed += (unnamed.empty() ? "" : ",") + variant;
  }
  if (unnamed.empty()) return;
  throw Failure(kExitUsage,
                "'" + printable(path, 200) +
                    "' holds records of other builds, and a tuned file knows one source "
                    "of a kernel: name another file, or let them go by --forget " +
                    unnamed);
}

void require_known(const std::vector<std::string>& forget, std::span<const TunedFile> files) {
  for (const std::string& name : forget) {
    const bool known = find_variant(name) != nullptr ||
                       std::any_of(files.begin(), files.end(),
                                   [&](const auto& file) { return file.kernels.contains(name); });
    if (known) continue;
    throw Failure(kExitUsage, "--forget: neither this build nor a file has a variant '" +
                                  printable(name, 200) + "'");
  }
}

void keep_one_source(std::vector<TunedFile>& files, const std::vector<std::string>& paths,
                     const std::vector<std::string>& forget) {
  std::map<std::string, KernelInfo> kept;
  for (const TunedFile& file : files) {
    for (const auto& [name, kernel] : file.kernels) {
      const Variant* variant = find_variant(name);
      const auto one = kept.emplace(name, kernel).first;
      if (variant != nullptr && kernel == kernel_of(*variant)) one->second = kernel;
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    TunedFile& file = files[i];
    Losses losses;
    const auto other_source = [&](const auto& entry, int Loss::*count) {
      if (file.kernels.at(entry.variant) == kept.at(entry.variant)) return false;
      ++(losses[{entry.variant, file.devices.at(entry.device).name}].*count);
      return true;
    };
    std::erase_if(file.records, [&](const Record& r) { return other_source(r, &Loss::records); });
    std::erase_if(file.rules, [&](const Rule& r) { return other_source(r, &Loss::rules); });
    std::erase_if(file.kernels, [&](const auto& of) { return !(of.second == kept.at(of.first)); });
    require_named(losses, forget, paths[i]);
  }
}

TunedFile merge_earlier(TunedFile fresh, const TunedFile& earlier, Losses& losses) {
  losses.clear();
  std::map<std::string, std::string> ids;  // of the earlier file to ours
  const TunedFile measured = fresh;
  std::set<std::tuple<std::string, Mode, std::string>> known;
  std::set<FamilyKey> decided_anew;
  const auto key = [](const Record& record) {
    return std::tuple(record.device, record.mode, to_string(record.problem));
  };
  for (const Record& record : fresh.records) decided_anew.insert(family_of(record));
  for (const auto& theirs : earlier.devices) {
    std::string& id = ids[theirs.first];
    const auto same =
        std::find_if(fresh.devices.begin(), fresh.devices.end(), [&](const auto& ours) {
          return ours.second == theirs.second ||
                 match_device(ours.second, theirs.second) == DeviceMatch::exact;
        });
    if (same != fresh.devices.end()) {
      id = same->first;
      add_known(same->second, theirs.second);
    } else {
      id = "d" + std::to_string(fresh.devices.size());
      fresh.devices[id] = theirs.second;
    }
  }
  // One file knows one source of each kernel: the earlier one's is kept where ours says nothing.
  const auto same_kernel = [&](const std::string& variant) {
    const KernelInfo& theirs = earlier.kernels.at(variant);
    const auto [ours, added] = fresh.kernels.emplace(variant, theirs);
    return added || ours->second == theirs;
  };
  const auto loss_of = [&](const std::string& variant, const std::string& device) -> Loss& {
    return losses[{variant, fresh.devices.at(device).name}];
  };
  for (Record record : earlier.records) {
    record.device = ids.at(record.device);
    if (decided_anew.contains(family_of(record)) || known.contains(key(record))) continue;
    if (!same_kernel(record.variant)) {
      ++loss_of(record.variant, record.device).records;
      continue;
    }
    known.insert(key(record));
    fresh.records.push_back(std::move(record));
  }
  for (Rule rule : earlier.rules) {
    rule.device = ids.at(rule.device);
    if (measured_again(rule, measured)) continue;
    if (!same_kernel(rule.variant)) {
      ++loss_of(rule.variant, rule.device).rules;
      continue;
    }
    const bool taken = std::any_of(fresh.rules.begin(), fresh.rules.end(),
                                   [&](const Rule& ours) { return overlap(ours, rule); });
    if (taken) continue;
    fresh.rules.push_back(std::move(rule));
  }
  std::sort(fresh.records.begin(), fresh.records.end(), file_order);
  return fresh;
}

std::optional<TunedFile> earlier_file(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) return std::nullopt;
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error) && std::filesystem::is_empty(path, error)) {
    return std::nullopt;  // as mktemp makes one
  }
  ParsedTunedFile parsed = load_tuned_file(path);
  if (!parsed.file) {
    throw Failure(kExitUsage, "--out '" + path + "' exists and is no tuned file of this version (" +
                                  parsed.error + "); name another or move it away");
  }
  return std::move(parsed.file);
}

TunedFile update_tuned_file(const std::string& path, const TunedFile& fresh,
                            const std::vector<std::string>& forget, double lock_wait_s) {
  const FolderLock lock(path, lock_wait_s);
  const std::optional<TunedFile> earlier = earlier_file(path);
  Losses losses;
  TunedFile file = earlier ? merge_earlier(fresh, *earlier, losses) : fresh;
  require_named(losses, forget, path);
  const std::string error = write_tuned_file(path, file);
  if (!error.empty()) throw Failure(kExitUsage, error);
  return file;
}

}  // namespace loratune
