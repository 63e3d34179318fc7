#include "harness/tuned_output.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "tuner/rules.h"

namespace loratune {
namespace {

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
    measured.push_back({one.problem, one.candidates, one.log_ratios});
  }
  std::vector<Rule> rules;
  for (const RuleRange& range : make_rules(measured, device)) {
    Rule rule;
    rule.device = "d0";
    rule.mode = mode;
    rule.dtype = range.dtype;
    rule.accumulate = range.accumulate;
    rule.rank = range.rank;
    rule.m = range.m;
    rule.k = range.k;
    rule.n = range.n;
    rule.variant = range.choice.variant->name;
    rule.config = named_config(range.choice.variant->space, range.choice.config);
    rule.regret_bound = range.regret_bound;
    rules.push_back(std::move(rule));
  }
  return rules;
}

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
  for (auto& [name, kernel] : file.kernels) {
    const Variant* variant = find_variant(name);
    kernel = {std::string(variant->source_sha256), variant->revision};
  }
  std::sort(file.records.begin(), file.records.end(), file_order);
  return file;
}

TunedFile merge_earlier(TunedFile fresh, const TunedFile& earlier, int& dropped) {
  dropped = 0;
  std::map<std::string, std::string> ids;  // of the earlier file to ours
  std::set<std::pair<Mode, std::string>> swept;
  for (const Record& record : fresh.records) swept.emplace(record.mode, to_string(record.problem));
  // A sweep that decided nothing has no rules to put in the place of others.
  const bool decided = !fresh.records.empty();
  const Mode mode = decided ? fresh.records[0].mode : Mode::fast;
  for (const auto& theirs : earlier.devices) {
    std::string& id = ids[theirs.first];
    const auto known = std::find_if(fresh.devices.begin(), fresh.devices.end(),
                                    [&](const auto& ours) { return ours.second == theirs.second; });
    if (known != fresh.devices.end()) {
      id = known->first;
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
  for (Record record : earlier.records) {
    record.device = ids.at(record.device);
    if (record.device == "d0" && swept.contains({record.mode, to_string(record.problem)})) continue;
    if (!same_kernel(record.variant)) {
      ++dropped;
      continue;
    }
    fresh.records.push_back(std::move(record));
  }
  for (Rule rule : earlier.rules) {
    rule.device = ids.at(rule.device);
    if ((decided && rule.device == "d0" && rule.mode == mode) || !same_kernel(rule.variant))
      continue;
    fresh.rules.push_back(std::move(rule));
  }
  std::sort(fresh.records.begin(), fresh.records.end(), file_order);
  return fresh;
}

}  // namespace loratune
