// What a Dispatcher made of its tuned file: for each matching device a table of records and a list
// of rules, the best matching device first.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/internal/miss_table.h"
#include "dispatch/internal/problem_key.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

// Why an entry of the file is not in the tables.
enum class SkipReason : std::uint8_t {
  none,
  other_device,
  unknown_variant,
  other_source,
  other_revision,
  unknown_parameter,
  unknown_value,
  cannot_run,
  not_deterministic,
  depends_on_m
};
std::string_view to_string(SkipReason skip);

// A record or rule that passed.
struct BoundEntry {
  const Variant* variant = nullptr;
  Config config;
  bool is_rule = false;
  std::uint32_t index = 0;  // in the file's records or rules
  std::int64_t m = 0;       // the record's
  bool deterministic = false;
};

// Whether the entry may stand for the problem in this mode.
SkipReason check_entry(const BoundEntry& entry, const Problem& problem, Mode mode,
                       const DeviceInfo& device);

// Records by key; open addressing, at most half full.
class RecordTable {
 public:
  RecordTable() = default;
  // Entries with equal keys: the first counts.
  explicit RecordTable(const std::vector<std::pair<ProblemKey, BoundEntry>>& entries);
  const BoundEntry* find(const ProblemKey& key) const noexcept;
  // Bit a is set where some key has align level a.
  unsigned align_levels() const noexcept { return align_levels_; }

 private:
  struct Slot {
    ProblemKey key;
    std::uint32_t candidate = 0;
  };
  std::vector<Slot> slots_;
  std::vector<BoundEntry> candidates_;
  unsigned align_levels_ = 0;
};

struct BoundRule {
  Kind kind;  // the problem must have the same
  Mode mode = Mode::fast;
  Range rank, m, k, n;
  BoundEntry candidate;
};

// The file's entries for one device.
struct DeviceEntries {
  DeviceMatch match = DeviceMatch::none;
  std::string id;
  RecordTable records;
  std::vector<BoundRule> rules;  // within a kind and mode no two overlap
};

struct FoundEntry {
  const DeviceEntries* device = nullptr;
  const BoundEntry* candidate = nullptr;
  ShapeMatch shape = ShapeMatch::fallback;
};

struct Dispatcher::State {
  State(TunedFile tuned, const DeviceInfo& at_hand);

  // The first candidate in order of preference that can run. `refused` is called with those before
  // it that cannot. The problem must be valid.
  template <class Refused>
  FoundEntry resolve(const Problem& problem, Mode mode, Refused refused) const;

  // Calls `visit` with the entries that hold the problem, in order of preference, whether they can
  // run or not, until it returns true. The problem must be valid. An entry may come twice.
  template <class Visit>
  void visit_entries(const Problem& problem, Mode mode, Visit visit) const;

  bool runs(const FoundEntry& found, const Problem& problem) const noexcept {
    return can_run(*found.candidate->variant, found.candidate->config, problem, device);
  }

  TunedFile file;
  DeviceInfo device;
  std::vector<DeviceEntries> devices;  // best first
  std::vector<SkipReason> record_skips, rule_skips;
  mutable MissTable misses;
};

template <class Refused>
FoundEntry Dispatcher::State::resolve(const Problem& problem, Mode mode, Refused refused) const {
  FoundEntry first;
  visit_entries(problem, mode, [&](const FoundEntry& found) {
    const bool fits = runs(found, problem);
    if (fits) {
      first = found;
    } else {
      refused(found);
    }
    return fits;
  });
  return first;
}

template <class Visit>
void Dispatcher::State::visit_entries(const Problem& problem, Mode mode, Visit visit) const {
  const unsigned highest = align_level(problem);
  // What is fastest of all serves Mode::deterministic too, where it gives the same bits every run.
  const std::array<std::pair<Mode, bool>, 4> ways = {{{mode, problem.accumulate},
                                                      {Mode::fast, problem.accumulate},
                                                      {mode, !problem.accumulate},
                                                      {Mode::fast, !problem.accumulate}}};
  for (const DeviceEntries& entries : devices) {
    // With the stated accumulate first, then with the other.
    for (const auto& [of, accumulate] : ways) {
      if (of != mode && mode != Mode::deterministic) continue;
      const auto allowed = [&, of = of](const BoundEntry& entry) {
        return of == mode || entry.deterministic;
      };
      const bool same = accumulate == problem.accumulate;
      Problem wanted = regardless_of_m(problem, mode);
      wanted.accumulate = accumulate;
      // A problem may run what was measured for less alignment.
      for (unsigned align = highest + 1; align-- > 0;) {
        if ((entries.records.align_levels() >> align & 1U) == 0) continue;
        const BoundEntry* found = entries.records.find(make_key(wanted, of, align));
        if (found == nullptr || !allowed(*found)) continue;
        const ShapeMatch shape =
            same && found->m == problem.m ? ShapeMatch::exact : ShapeMatch::rule;
        if (visit(FoundEntry{&entries, found, shape})) return;
      }
      const Kind kind = kind_of(wanted);
      const auto in = [](const Range& range, std::int64_t value) {
        return range.lo <= value && value <= range.hi;
      };
      for (const BoundRule& rule : entries.rules) {
        if (rule.mode != of || rule.kind != kind || !allowed(rule.candidate) ||
            !in(rule.m, problem.m) || !in(rule.rank, problem.rank) || !in(rule.k, problem.k) ||
            !in(rule.n, problem.n)) {
          continue;
        }
        if (visit(FoundEntry{&entries, &rule.candidate, ShapeMatch::rule})) return;
      }
    }
  }
}

}  // namespace loratune
