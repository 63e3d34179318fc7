#include <algorithm>
#include <array>
#include <charconv>

#include "dispatch/internal/dispatcher_state.h"
#include "dispatch/internal/printable.h"

namespace loratune {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
  return {text.data(), end};
}

std::string range_text(std::string_view name, const Range& range) {
  return " " + std::string(name) + " " + std::to_string(range.lo) + ".." + std::to_string(range.hi);
}

std::string columns_text(const Rule& rule) {
  const Slices& slices = rule.kind.slices;
  return slices.count == 0 ? range_text("n", rule.n) : " n " + to_string(slices);
}

std::string config_text(const NamedConfig& config) {
  std::string text;
  for (const auto& [name, value] : config) text += " " + name + "=" + std::to_string(value);
  return text;
}

std::string entry_text(const Record& record) {
  return record.device + " record " + to_string(record.problem) + ": " + record.variant +
         config_text(record.config);
}

std::string entry_text(const Rule& rule) {
  return rule.device + " rule" + range_text("m", rule.m) + range_text("k", rule.k) +
         columns_text(rule) + range_text("rank", rule.rank) + " " + to_string(rule.kind) + ": " +
         rule.variant + config_text(rule.config);
}

std::string evidence(const Record& r) {
  return "expected: " + number(r.speedup) + "x the default, " + number(r.speedup_lo) + ".." +
         number(r.speedup_hi) + " at level " + number(r.level) + " (" + std::to_string(r.rounds) +
         " rounds, " + r.clock + "); " + std::to_string(r.time_ns) + " ns against " +
         std::to_string(r.default_ns) + " ns; " + r.reason;
}

bool speaks_for(Mode entry, Mode mode) {
  return entry == mode || (entry == Mode::fast && mode == Mode::deterministic);
}

bool same_but_for_accumulate(Kind kind, const Problem& problem) {
  kind.accumulate = problem.accumulate;
  return kind == kind_of(problem);
}

// Whether an entry could speak for the problem, its accumulate and its alignment apart.
bool concerns(const Record& record, const Problem& problem, Mode mode) {
  const Problem& p = record.problem;
  return speaks_for(record.mode, mode) && same_but_for_accumulate(kind_of(p), problem) &&
         p.k == problem.k && p.n == problem.n && p.rank == problem.rank &&
         regardless_of_m(p, mode).m == regardless_of_m(problem, mode).m;
}

bool concerns(const Rule& rule, const Problem& problem, Mode mode) {
  const auto in = [](const Range& range, std::int64_t value) {
    return range.lo <= value && value <= range.hi;
  };
  return speaks_for(rule.mode, mode) && same_but_for_accumulate(rule.kind, problem) &&
         in(rule.m, problem.m) && in(rule.k, problem.k) && in(rule.n, problem.n) &&
         in(rule.rank, problem.rank);
}

// Where the built-in default answers, a Choice has matched no device. Here it is told apart why:
// the device may well be the file's own.
std::string_view unmatched_device(const TunedFile& file, const DeviceInfo& device, bool known) {
  if (device.name.empty() && device.platform.empty()) return "no_device";
  if (file.devices.empty()) return "no_file";
  return known ? "unused" : to_string(DeviceMatch::none);
}

// A record may answer for another problem than its own: one that writes y where it adds to y, or
// the other way round, or one with more or fewer rows. To a Choice that is the same as a rule.
std::string_view record_match(const Record& record, const Problem& problem, ShapeMatch shape) {
  if (shape != ShapeMatch::rule) return to_string(shape);
  return record.problem.accumulate != problem.accumulate ? "other_write" : "other_rows";
}

}  // namespace

std::string Dispatcher::explain(const Problem& problem, Mode mode) const {
  const std::string invalid = invalid_reason(problem);
  if (!invalid.empty()) return "no choice: " + invalid + "\n";
  const State& s = *state_;

  std::vector<std::pair<bool, std::uint32_t>> refused;
  const FoundEntry found = s.resolve(problem, mode, [&](const FoundEntry& f) {
    refused.emplace_back(f.candidate->is_rule, f.candidate->index);
  });
  const bool fallback = found.candidate == nullptr;
  const Choice choice = fallback ? default_choice(problem, s.device, mode) : choice_of(found);

  if (choice.variant == nullptr) {
    return "no choice: no variant of this build takes " + to_string(problem) + "\n";
  }
  std::string text = to_string(problem) + ", mode " + std::string(to_string(mode)) + ", on " +
                     printable(s.device.name) + "\n";
  text += "picked: " + std::string(choice.variant->name) + " " +
          to_string(choice.variant->space, choice.config) + "\n";
  text += "device match: ";
  text += fallback ? unmatched_device(s.file, s.device, !s.devices.empty())
                   : to_string(choice.device_match);
  if (!fallback) {
    const TunedDevice& device = s.file.devices.at(found.device->id);
    text += ", " + found.device->id + " = " + printable(device.name) + ", driver " +
            printable(device.driver);
    const auto may_use = [](const TunedDevice& any) {
      const std::string limit = limit_text(any);
      return limit.empty() ? std::string("all CPUs") : limit;
    };
    const TunedDevice here = tuned_device(s.device);
    if (here.usable_cpus != device.usable_cpus) {
      text += ", measured with " + may_use(device) + " to use, here it is " + may_use(here);
    }
  }
  const bool by_record = !fallback && !found.candidate->is_rule;
  text += "\nshape match: ";
  text += by_record ? record_match(s.file.records[found.candidate->index], problem, found.shape)
                    : to_string(choice.shape_match);
  const auto of_mode = [&](Mode entry) {
    return entry == mode ? "" : ", measured for mode " + std::string(to_string(entry));
  };
  if (fallback) {
    text += ", the built-in default";
  } else if (found.candidate->is_rule) {
    const Rule& rule = s.file.rules[found.candidate->index];
    text += ", " + entry_text(rule) + of_mode(rule.mode) + "\nexpected: at most " +
            number(100 * rule.regret_bound) + " % behind the best";
  } else {
    const Record& record = s.file.records[found.candidate->index];
    text += ", " + entry_text(record) + of_mode(record.mode) + "\n" + evidence(record);
  }
  text += "\n";

  std::vector<std::string> others;
  const auto pass_over = [&](bool is_rule, std::uint32_t i, const auto& entry, SkipReason skip,
                             bool aligned) {
    if (!concerns(entry, problem, mode)) return;
    if (!fallback && found.candidate->is_rule == is_rule && found.candidate->index == i) return;
    std::string why(to_string(skip));
    if (skip == SkipReason::none) {
      const bool was_refused =
          std::find(refused.begin(), refused.end(), std::pair(is_rule, i)) != refused.end();
      why = !aligned      ? "needs more alignment"
            : was_refused ? "cannot run this problem here"
                          : "comes after the pick";
    }
    others.push_back("  " + entry_text(entry) + ": " + why + "\n");
  };
  for (std::uint32_t i = 0; i < s.file.records.size(); ++i) {
    const Record& record = s.file.records[i];
    pass_over(false, i, record, s.record_skips[i],
              align_level(record.problem) <= align_level(problem));
  }
  for (std::uint32_t i = 0; i < s.file.rules.size(); ++i) {
    pass_over(true, i, s.file.rules[i], s.rule_skips[i], true);
  }
  if (!others.empty()) text += "passed over:\n";
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, others.size()); ++i) text += others[i];
  if (others.size() > kShown) {
    text += "  and " + std::to_string(others.size() - kShown) + " more\n";
  }
  if (s.devices.empty() && !s.file.devices.empty()) {
    text += "the file has no device like this one\n";
  }
  for (const auto& [reason, count] : skipped()) {
    text += "skipped at load: " + std::to_string(count) + " " + reason + "\n";
  }
  return text;
}

}  // namespace loratune
