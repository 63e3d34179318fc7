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

// A config of a variant, which passed contains(): many entries share one.
struct BoundConfig {
  const Variant* variant = nullptr;
  Config config;
  auto operator<=>(const BoundConfig&) const = default;
};

// A record or rule that passed.
struct BoundEntry {
  std::uint32_t config = 0;  // in the state's configs
  std::uint32_t index = 0;   // in the file's records or rules
  bool is_rule = false;
  bool deterministic = false;
};

// Whether the config may stand for the problem in this mode.
SkipReason check_config(const BoundConfig& bound, const Problem& problem, Mode mode,
                        const DeviceInfo& device);

// Records by key; open addressing, at most four fifths full. To find the record of a plain problem
// takes one cache line, most often.
class RecordTable {
 public:
  RecordTable() = default;
  // Entries with equal keys: the first counts. Keys that a stranger has chosen meet as seldom as
  // any others, as long as the seed is not known.
  RecordTable(const std::vector<std::pair<ProblemKey, BoundEntry>>& entries, std::uint64_t seed);
  const BoundEntry* find(const ProblemKey& key) const noexcept {
    const Slot& slot = slots_[place(key)];
    return slot.plain[0] == 0 ? nullptr : &slot.entry;
  }
  // Bit a is set where some key has align level a.
  unsigned align_levels() const noexcept { return align_levels_; }

 private:
  struct alignas(32) Slot {
    std::array<std::uint64_t, 2> plain{};  // of the key; zero: the slot is free
    std::uint32_t rest = 0;                // of the key: 0 of a plain one, else in rests_, from 1
    BoundEntry entry;
  };
  static_assert(sizeof(Slot) == 32);
  // The slot of the key, else the free one where it would be.
  std::size_t place(const ProblemKey& key) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash(key, seed_) & mask;; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (slot.plain[0] == 0) return i;
      if (!key.has_plain(slot.plain) || (slot.rest == 0) != key.is_plain()) continue;
      if (slot.rest == 0 || rests_[slot.rest - 1] == key.rest) return i;
    }
  }

  std::uint64_t seed_ = 0;
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::vector<decltype(ProblemKey::rest)> rests_;
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
  const BoundConfig* bound = nullptr;
  ShapeMatch shape = ShapeMatch::fallback;
};

inline Choice choice_of(const FoundEntry& found) noexcept {
  return {found.bound->variant, found.bound->config, found.device->match, found.shape};
}

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

  // can_run(), but for what was checked when the file was loaded. Where the choice may not depend
  // on m, an entry that does not run one row runs no number of rows.
  bool runs(const FoundEntry& found, const Problem& problem, Mode mode) const noexcept {
    const BoundConfig& bound = *found.bound;
    const auto takes = [&](const Problem& p) {
      return bound.variant->supports(p, device) &&
             bound.variant->space.constraint(bound.config, p, device);
    };
    return takes(problem) &&
           (mode != Mode::batch_invariant || takes(regardless_of_m(problem, mode)));
  }

  TunedFile file;
  DeviceInfo device;
  std::vector<BoundConfig> configs;    // each once
  std::vector<DeviceEntries> devices;  // best first
  std::vector<SkipReason> record_skips, rule_skips;
  mutable MissTable misses;
};

template <class Refused>
FoundEntry Dispatcher::State::resolve(const Problem& problem, Mode mode, Refused refused) const {
  FoundEntry first;
  visit_entries(problem, mode, [&](const FoundEntry& found) {
    const bool fits = runs(found, problem, mode);
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
  // A problem may run what was measured for less alignment.
  const unsigned may_align = (2U << align_level(problem)) - 1U;
  // What is fastest of all serves Mode::deterministic too, where it gives the same bits every run.
  const int modes = mode == Mode::deterministic ? 2 : 1;
  ProblemKey key = make_key(problem, mode);
  for (const DeviceEntries& entries : devices) {
    // With the stated accumulate first, then with the other; of each first the stated mode.
    for (int way = 0; way < 2 * modes; ++way) {
      const Mode of = way % modes == 0 ? mode : Mode::fast;
      const bool same = way < modes;
      const bool accumulate = same == problem.accumulate;
      const auto visits = [&](const BoundEntry& entry, ShapeMatch shape) {
        return (of == mode || entry.deterministic) &&
               visit(FoundEntry{&entries, &entry, &configs[entry.config], shape});
      };
      for (unsigned left = entries.records.align_levels() & may_align; left != 0;) {
        const auto align = static_cast<unsigned>(std::bit_width(left)) - 1U;
        left ^= 1U << align;
        set_served(key, of, accumulate, align);
        const BoundEntry* found = entries.records.find(key);
        if (found == nullptr && mode == Mode::batch_invariant) {
          ProblemKey for_every_m = entry_key(problem, mode);
          set_served(for_every_m, of, accumulate, align);
          found = entries.records.find(for_every_m);
        }
        if (found == nullptr) continue;
        const bool exact = same && (mode != Mode::batch_invariant ||
                                    file.records[found->index].problem.m == problem.m);
        if (visits(*found, exact ? ShapeMatch::exact : ShapeMatch::rule)) return;
      }
      if (entries.rules.empty()) continue;
      Kind kind = kind_of(problem);
      kind.accumulate = accumulate;
      const auto in = [](const Range& range, std::int64_t value) {
        return range.lo <= value && value <= range.hi;
      };
      for (const BoundRule& rule : entries.rules) {
        if (in(rule.m, problem.m) && in(rule.rank, problem.rank) && in(rule.k, problem.k) &&
            in(rule.n, problem.n) && rule.mode == of && rule.kind == kind &&
            visits(rule.candidate, ShapeMatch::rule)) {
          return;
        }
      }
    }
  }
}

}  // namespace loratune
