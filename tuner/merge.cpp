#include "tuner/merge.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "loratune/dispatch/device_match.h"

namespace loratune {
namespace {

// Orders two records of one problem: by the lower bound, by the evidence for it, and then by all
// else that may differ, so that the order is total.
auto strength(const Record& r) {
  return std::tie(r.speedup_lo, r.rounds, r.level, r.speedup, r.speedup_hi, r.variant, r.config,
                  r.time_ns, r.default_ns, r.clock, r.error_over_bound, r.seen, r.reason);
}

bool weaker(const Record& a, const Record& b) {
  return std::pair(strength(a), a.problem.m) < std::pair(strength(b), b.problem.m);
}

// Keeps one set of records for each family. A set is the records of one choice in one file, at most
// one for each problem, and the strongest set stays: sets are compared record by record from the
// strongest on. A set is kept or left whole, so the order in which files are merged does not count.
std::vector<Record> strongest(std::vector<std::vector<Record>> files) {
  std::map<FamilyKey, std::vector<Record>> best;
  for (std::vector<Record>& records : files) {
    std::sort(records.begin(), records.end(),
              [](const Record& a, const Record& b) { return weaker(b, a); });
    std::map<std::tuple<FamilyKey, std::string, NamedConfig>, std::vector<Record>> sets;
    for (Record& record : records) {
      std::vector<Record>& set = sets[{family_of(record), record.variant, record.config}];
      const bool known = std::any_of(set.begin(), set.end(), [&](const Record& other) {
        return other.problem == record.problem;
      });
      if (!known) set.push_back(std::move(record));
    }
    for (auto& [choice, set] : sets) {
      std::vector<Record>& there = best[std::get<FamilyKey>(choice)];
      if (std::lexicographical_compare(there.begin(), there.end(), set.begin(), set.end(),
                                       weaker)) {
        there = std::move(set);
      }
    }
  }
  std::vector<Record> kept;
  for (const auto& [family, set] : best) kept.insert(kept.end(), set.begin(), set.end());
  return kept;
}

auto kind(const Rule& r) { return std::tie(r.device, r.mode, r.kind); }

auto weakness(const Rule& r) { return std::tie(r.regret_bound, r.variant, r.config); }

constexpr Range Rule::*kAxes[] = {&Rule::k, &Rule::n, &Rule::rank, &Rule::m};

// The choice that rules of one kind make at each shape, as boxes that do not overlap. Each axis in
// turn is cut into the longest runs along which the choice on the later axes is the same; so equal
// choices give equal boxes, however the rules were cut before. Ranges of the axes before `axis` are
// left empty.
std::vector<Rule> cut(const std::vector<const Rule*>& rules, std::size_t axis) {
  if (axis == std::size(kAxes)) {
    Rule best = **std::min_element(rules.begin(), rules.end(), [](const Rule* a, const Rule* b) {
      return weakness(*a) < weakness(*b);
    });
    for (Range Rule::*range : kAxes) best.*range = {};
    return {best};
  }
  Range Rule::*range = kAxes[axis];
  std::set<std::int64_t> begins;
  for (const Rule* rule : rules) begins.insert({(rule->*range).lo, (rule->*range).hi + 1});
  std::vector<Rule> boxes;
  std::vector<Rule> run;  // the choice on the later axes since `run_begin`
  std::int64_t run_begin = 0;
  for (const std::int64_t begin : begins) {
    std::vector<const Rule*> here;
    for (const Rule* rule : rules) {
      if ((rule->*range).lo <= begin && begin <= (rule->*range).hi) here.push_back(rule);
    }
    std::vector<Rule> choice = here.empty() ? std::vector<Rule>{} : cut(here, axis + 1);
    if (choice == run) continue;
    for (Rule& box : run) {
      box.*range = {run_begin, begin - 1};
      boxes.push_back(box);
    }
    run = std::move(choice);
    run_begin = begin;
  }
  return boxes;
}

// Joins boxes that differ only in their ranks, where one begins after the other ends.
void join_ranks(std::vector<Rule>& rules) {
  const auto rest = [](const Rule& r) {
    return std::tie(r.device, r.mode, r.kind, r.k.lo, r.k.hi, r.n.lo, r.n.hi, r.m.lo, r.m.hi,
                    r.variant, r.config, r.regret_bound);
  };
  std::sort(rules.begin(), rules.end(), [&](const Rule& a, const Rule& b) {
    return std::tuple(rest(a), a.rank.lo) < std::tuple(rest(b), b.rank.lo);
  });
  std::vector<Rule> joined;
  for (Rule& rule : rules) {
    if (!joined.empty() && rest(joined.back()) == rest(rule) &&
        joined.back().rank.hi + 1 == rule.rank.lo) {
      joined.back().rank.hi = rule.rank.hi;
    } else {
      joined.push_back(std::move(rule));
    }
  }
  rules = std::move(joined);
}

std::vector<Rule> merge_rules(std::vector<Rule> rules) {
  std::sort(rules.begin(), rules.end(),
            [](const Rule& a, const Rule& b) { return kind(a) < kind(b); });
  std::vector<Rule> merged;
  for (auto begin = rules.begin(); begin != rules.end();) {
    std::vector<const Rule*> same;
    const auto first = begin;
    for (; begin != rules.end() && kind(*begin) == kind(*first); ++begin) same.push_back(&*begin);
    const std::vector<Rule> boxes = cut(same, 0);
    merged.insert(merged.end(), boxes.begin(), boxes.end());
  }
  join_ranks(merged);
  return merged;
}

}  // namespace

FamilyKey family_of(const Record& record) {
  return {record.device, record.mode, to_string(regardless_of_m(record.problem, record.mode))};
}

std::optional<TunedFile> merge_tuned_files(std::span<const TunedFile> files, std::string& why) {
  std::set<TunedDevice> devices;
  TunedFile merged;
  for (const TunedFile& file : files) {
    const auto order = [](const ToolInfo& t) { return std::tie(t.version, t.commit, t.name); };
    if (order(merged.tool) < order(file.tool)) merged.tool = file.tool;
    for (const auto& [id, device] : file.devices) devices.insert(device);
    for (const auto& [name, kernel] : file.kernels) {
      if (merged.kernels.emplace(name, kernel).first->second == kernel) continue;
      why = "the files know different sources of kernel '" + name +
            "'; records of one say nothing about the other";
      return std::nullopt;
    }
  }
  // Not looked for again once more is known of an entry: a device of which too little is known does
  // not even match itself.
  std::map<TunedDevice, std::string> entries;
  for (const TunedDevice& device : devices) {
    const auto entry = std::find_if(
        merged.devices.begin(), merged.devices.end(),
        [&](const auto& one) { return match_device(one.second, device) == DeviceMatch::exact; });
    if (entry == merged.devices.end()) {
      const std::string id = "d" + std::to_string(merged.devices.size());
      merged.devices[id] = device;
      entries[device] = id;
    } else {
      add_known(entry->second, device);
      entries[device] = entry->first;
    }
  }
  std::vector<Rule> rules;
  std::vector<std::vector<Record>> records;
  for (const TunedFile& file : files) {
    records.emplace_back();
    std::map<std::string, std::string> ids;
    for (const auto& [id, device] : file.devices) ids[id] = entries.at(device);
    for (Record record : file.records) {
      record.device = ids.at(record.device);
      records.back().push_back(std::move(record));
    }
    for (Rule rule : file.rules) {
      rule.device = ids.at(rule.device);
      rules.push_back(std::move(rule));
    }
  }
  merged.records = strongest(std::move(records));
  std::sort(merged.records.begin(), merged.records.end(), file_order);
  merged.rules = merge_rules(std::move(rules));
  const ParsedTunedFile written = parse_tuned_file(serialize(merged));
  if (!written.file) {
    why = "together they are no tuned file: " + written.error;
    return std::nullopt;
  }
  return merged;
}

}  // namespace loratune
