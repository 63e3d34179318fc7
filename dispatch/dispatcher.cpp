#include "loratune/dispatch/dispatcher.h"

#include <algorithm>
#include <functional>
#include <map>

#include "dispatch/internal/dispatcher_state.h"
#include "loratune/dispatch/plan_text.h"

namespace loratune {
namespace {

// The variant and config that an entry names, or why this build cannot use it.
SkipReason bind_config(const std::string& name, const NamedConfig& config, const TunedFile& file,
                       BoundConfig& bound) {
  const Variant* variant = find_variant(name);
  if (variant == nullptr) return SkipReason::unknown_variant;
  const auto kernel = file.kernels.find(name);
  if (kernel == file.kernels.end() || kernel->second.source_sha256 != variant->source_sha256) {
    return SkipReason::other_source;
  }
  if (kernel->second.revision != variant->revision) return SkipReason::other_revision;
  if (config.size() != variant->space.parameters.size()) return SkipReason::unknown_parameter;
  bound.variant = variant;
  for (const Parameter& parameter : variant->space.parameters) {
    const auto value = std::find_if(config.begin(), config.end(), [&](const auto& named) {
      return named.first == parameter.name;
    });
    if (value == config.end()) return SkipReason::unknown_parameter;
    bound.config.push_back(value->second);
  }
  return contains(variant->space, bound.config) ? SkipReason::none : SkipReason::unknown_value;
}

// Whether a config that check_config() found good for the mode is deterministic too. Other modes
// than `fast` ask that of it.
bool is_deterministic(const BoundConfig& bound, const Problem& problem, Mode mode,
                      const DeviceInfo& device) {
  return mode != Mode::fast || bound.variant->plan(problem, bound.config, device).deterministic;
}

// A plan is deterministic or not by its config; the corners of the ranges stand for the rest.
SkipReason check_rule(const BoundConfig& bound, const Rule& rule, Mode mode,
                      const DeviceInfo& device) {
  if (mode == Mode::batch_invariant && (rule.m.lo > 1 || rule.m.hi < kMaxExtent)) {
    return SkipReason::depends_on_m;
  }
  // In this mode nothing is asked of a plan, and a range may hold problems that run though none of
  // its corners does.
  if (mode == Mode::fast) return SkipReason::none;
  SkipReason best = SkipReason::cannot_run;
  for (unsigned corner = 0; corner < 16; ++corner) {
    const auto end = [&](const Range& range, unsigned bit) {
      return (corner >> bit & 1U) != 0 ? range.hi : range.lo;
    };
    const Problem problem = make_problem(rule.kind, end(rule.m, 1), end(rule.k, 2), end(rule.n, 3),
                                         static_cast<int>(end(rule.rank, 0)));
    const SkipReason skip = check_config(bound, problem, mode, device);
    if (skip == SkipReason::not_deterministic) return skip;
    if (skip == SkipReason::none) best = skip;
  }
  return best;
}

}  // namespace

std::string_view to_string(ShapeMatch match) {
  constexpr std::string_view kNames[] = {"exact", "rule", "fallback"};
  return kNames[static_cast<unsigned>(match)];
}

std::string_view to_string(SkipReason skip) {
  constexpr std::string_view kNames[] = {"usable",
                                         "of another device",
                                         "unknown variant",
                                         "other kernel source",
                                         "other revision of the variant",
                                         "unknown parameter",
                                         "value outside the search space",
                                         "cannot run on this device",
                                         "not deterministic",
                                         "depends on m"};
  return kNames[static_cast<unsigned>(skip)];
}

SkipReason check_config(const BoundConfig& bound, const Problem& problem, Mode mode,
                        const DeviceInfo& device) {
  if (!can_run(*bound.variant, bound.config, problem, device)) return SkipReason::cannot_run;
  if (mode != Mode::fast && !bound.variant->plan(problem, bound.config, device).deterministic) {
    return SkipReason::not_deterministic;
  }
  return SkipReason::none;
}

RecordTable::RecordTable(const std::vector<std::pair<ProblemKey, BoundEntry>>& entries,
                         std::uint64_t seed)
    : seed_(seed), slots_(std::bit_ceil(entries.size() + entries.size() / 4 + 1)) {
  for (const auto& [key, entry] : entries) {
    Slot& slot = slots_[place(key)];
    if (slot.plain[0] != 0) continue;
    slot = {key.plain, 0, entry};
    if (!key.is_plain()) {
      rests_.push_back(key.rest);
      slot.rest = static_cast<std::uint32_t>(rests_.size());
    }
    align_levels_ |= 1U << align_level(problem_of(key));
  }
}

Dispatcher::State::State(TunedFile tuned, const DeviceInfo& at_hand)
    : file(std::move(tuned)),
      device(at_hand),
      record_skips(file.records.size(), SkipReason::other_device),
      rule_skips(file.rules.size(), SkipReason::other_device) {
  std::map<std::string_view, std::vector<std::uint32_t>> records, rules;  // by device
  for (std::uint32_t i = 0; i < file.records.size(); ++i) {
    records[file.records[i].device].push_back(i);
  }
  for (std::uint32_t i = 0; i < file.rules.size(); ++i) rules[file.rules[i].device].push_back(i);

  std::map<BoundConfig, std::uint32_t> places;  // in configs
  const auto place_of = [&](const BoundConfig& bound) {
    const auto [at, added] = places.try_emplace(bound, static_cast<std::uint32_t>(configs.size()));
    if (added) configs.push_back(bound);
    return at->second;
  };
  for (const auto& [id, match] : ranked_devices(file, tuned_device(device))) {
    DeviceEntries& entries = devices.emplace_back();
    entries.match = match;
    entries.id = id;
    std::vector<std::pair<ProblemKey, BoundEntry>> usable, for_every_m;
    // The config of the same problem but for m, where m may not count.
    std::map<ProblemKey, BoundConfig> first;
    for (const std::uint32_t i : records[id]) {
      const Record& record = file.records[i];
      BoundConfig bound;
      SkipReason skip = bind_config(record.variant, record.config, file, bound);
      if (skip == SkipReason::none) skip = check_config(bound, record.problem, record.mode, device);
      const Problem keyed = regardless_of_m(record.problem, record.mode);
      const ProblemKey key = entry_key(record.problem, record.mode);
      if (skip == SkipReason::none && record.mode == Mode::batch_invariant) {
        const bool runs_a_row = can_run(*bound.variant, bound.config, keyed, device);
        if (!runs_a_row || first.try_emplace(key, bound).first->second != bound)
          skip = SkipReason::depends_on_m;
      }
      record_skips[i] = skip;
      if (skip != SkipReason::none) continue;
      const bool deterministic = is_deterministic(bound, record.problem, record.mode, device);
      const BoundEntry entry{place_of(bound), i, false, deterministic};
      usable.emplace_back(make_key(record.problem, record.mode), entry);
      if (key != usable.back().first) for_every_m.emplace_back(key, entry);
    }
    // Behind the records of the very problems, of which one may have the same key.
    usable.insert(usable.end(), for_every_m.begin(), for_every_m.end());
    // Where the memory of a process lies is not known outside of it.
    const auto seed = static_cast<std::uint64_t>(std::hash<const void*>{}(this));
    entries.records = RecordTable(usable, seed);
    for (const std::uint32_t i : rules[id]) {
      const Rule& rule = file.rules[i];
      BoundConfig bound;
      SkipReason skip = bind_config(rule.variant, rule.config, file, bound);
      if (skip == SkipReason::none) skip = check_rule(bound, rule, rule.mode, device);
      rule_skips[i] = skip;
      if (skip != SkipReason::none) continue;
      const bool deterministic =
          check_rule(bound, rule, Mode::deterministic, device) == SkipReason::none;
      entries.rules.push_back({rule.kind, rule.mode, rule.rank, rule.m, rule.k, rule.n,
                               BoundEntry{place_of(bound), i, true, deterministic}});
    }
  }
}

Dispatcher::Dispatcher(const DeviceInfo& device) : Dispatcher(TunedFile{}, device) {}
Dispatcher::Dispatcher(TunedFile file, const DeviceInfo& device)
    : state_(std::make_unique<State>(std::move(file), device)) {}
Dispatcher::Dispatcher(Dispatcher&&) noexcept = default;
Dispatcher& Dispatcher::operator=(Dispatcher&&) noexcept = default;
Dispatcher::~Dispatcher() = default;

Dispatcher::Loaded Dispatcher::load(const std::filesystem::path& path, const DeviceInfo& device) {
  ParsedTunedFile parsed = load_tuned_file(path);
  if (!parsed.file) return {{}, std::move(parsed.error)};
  return {Dispatcher(std::move(*parsed.file), device), {}};
}

Dispatcher::Loaded Dispatcher::load_bytes(std::string_view bytes, const DeviceInfo& device) {
  ParsedTunedFile parsed = parse_tuned_file(bytes);
  if (!parsed.file) return {{}, std::move(parsed.error)};
  return {Dispatcher(std::move(*parsed.file), device), {}};
}

Choice Dispatcher::pick(const Problem& problem, Mode mode) const noexcept {
  if (!is_valid(problem)) return {};
  const FoundEntry found = state_->resolve(problem, mode, [](const FoundEntry&) {});
  if (found.candidate == nullptr) {
    return state_->misses.count(make_key(problem, mode),
                                [&] { return default_choice(problem, state_->device, mode); });
  }
  return choice_of(found);
}

std::vector<Choice> Dispatcher::choices(const Problem& problem, Mode mode) const {
  std::vector<Choice> all;
  if (!is_valid(problem)) return all;
  const auto add = [&](const Choice& choice) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Choice& other) {
      return other.variant == choice.variant && other.config == choice.config;
    });
    if (!known && choice.variant != nullptr) all.push_back(choice);
  };
  state_->visit_entries(problem, mode, [&](const FoundEntry& found) {
    if (state_->runs(found, problem, mode)) {
      add(choice_of(found));
    }
    return false;
  });
  add(default_choice(problem, state_->device, mode));
  const DeviceInfo& device = state_->device;
  const Problem fixed = regardless_of_m(problem, mode);
  const auto add_if_it_runs = [&](const Choice& choice) {
    if (can_run(*choice.variant, choice.config, problem, device)) add(choice);
  };
  for (const Choice& choice : fallback_choices(fixed, device)) add_if_it_runs(choice);
  // Functions of the process need no compiler, whatever the driver's says.
  for (const Variant* variant : variants()) {
    if (!variant->supports(fixed, device)) continue;
    const Config config = variant->default_config(fixed, device);
    if (!is_native(variant->plan(fixed, config, device))) continue;
    add_if_it_runs({variant, config, DeviceMatch::none, ShapeMatch::fallback});
  }
  return all;
}

std::vector<Problem> Dispatcher::misses() const {
  std::vector<std::pair<Problem, std::uint64_t>> counted;
  for (const auto& [key, times] : state_->misses.all()) {
    const Problem problem = problem_of(key);
    const auto known = std::find_if(counted.begin(), counted.end(),
                                    [&](const auto& entry) { return entry.first == problem; });
    if (known == counted.end()) {
      counted.emplace_back(problem, times);
    } else {
      known->second += times;  // missed in another mode too
    }
  }
  std::stable_sort(counted.begin(), counted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<Problem> problems;
  problems.reserve(counted.size());
  for (const auto& [problem, times] : counted) problems.push_back(problem);
  return problems;
}

std::vector<std::pair<std::string, int>> Dispatcher::skipped() const {
  std::map<SkipReason, int> counts;
  for (const auto* skips : {&state_->record_skips, &state_->rule_skips}) {
    for (const SkipReason skip : *skips) {
      if (skip != SkipReason::none && skip != SkipReason::other_device) ++counts[skip];
    }
  }
  std::vector<std::pair<std::string, int>> named;
  for (const auto& [skip, count] : counts) named.emplace_back(to_string(skip), count);
  return named;
}

const DeviceInfo& Dispatcher::device() const { return state_->device; }

}  // namespace loratune
