#include "harness/gate/result.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "dispatch/internal/printable.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/json_members.h"
#include "harness/base/read_file.h"
#include "harness/base/whole_from.h"
#include "harness/worker/protocol.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr int kResultVersion = 1;

json to_json(const ToolInfo& tool) {
  return {{"name", tool.name}, {"version", tool.version}, {"commit", tool.commit}};
}

ToolInfo tool_from(const json& value) {
  return {value.at("name"), value.at("version"), value.at("commit")};
}

template <class Rules, class Visit>
void visit_members(Rules& rules, Visit& visit) {
  visit("sub_blocks", rules.sub_blocks);
  visit("looks", rules.looks.rounds);
  visit("sentinel_looks", rules.sentinel_looks.rounds);
  visit("short_ns", rules.short_ns, kYounger);
  visit("short_looks", rules.short_looks.rounds, kYounger);
  visit("level", rules.level);
  visit("worse", rules.worse);
  visit("good", rules.good);
  visit("sentinel", rules.sentinel);
  visit("shorten", rules.shorten);
  visit("patience", rules.patience, kYounger);
  visit("canary_limit", rules.canary_limit);
  visit("distinct", rules.distinct);
}

json to_json(const GateRules& rules) {
  MembersToJson visit;
  visit_members(rules, visit);
  return visit.json;
}

GateRules rules_from(const json& value) {
  GateRules rules;
  // Files of before cases were told apart by their length have neither: all had the same looks.
  rules.short_ns = 0;
  rules.patience = VoidRounds::kFewest;  // and of before there was any, none
  const MembersFromJson visit{value};
  visit_members(rules, visit);
  if (!value.contains("short_looks")) rules.short_looks = rules.looks;
  validate(rules);
  return rules;
}

// What JSON has no number for stands as null.
json whole_ns(double ns) {
  if (!std::isfinite(ns)) return nullptr;
  if (ns == std::floor(ns) && std::fabs(ns) < 1e15) return static_cast<std::int64_t>(ns);
  return ns;
}

// A round is [base's blocks, candidate's, canary's], in the order in which each ran; steal and
// faults follow.
json to_json(const TrialRecord& record, const GateRules& rules, bool sentinel) {
  PairedTrial trial(record.seed, rules, sentinel);
  json rounds = json::array();
  for (const RoundReply& reply : record.replies) {
    const std::optional<Round> round = trial.next();
    if (!round) break;
    json arms = json::array({json::array(), json::array(), json::array()});
    for (std::size_t i = 0; i < reply.ns.size(); ++i) {
      arms[round->order[i] == kCanary ? 2 : static_cast<std::size_t>(round->order[i])].push_back(
          whole_ns(reply.ns[i]));
    }
    if (reply.stolen) arms.push_back("stolen");
    if (reply.failed >= 0) {
      arms.push_back({{"failed", reply.failed}, {"outcome", to_string(reply.failure)}});
    }
    rounds.push_back(std::move(arms));
    trial.report(reply);
  }
  return {{"seed", record.seed}, {"runs", record.runs}, {"rounds", rounds}};
}

TrialRecord trial_from(const json& value, const GateRules& rules, bool sentinel) {
  TrialRecord record;
  record.seed = whole_from<std::uint64_t>(value.at("seed"), "seed");
  record.runs = whole_from<int>(value.at("runs"), "runs");
  PairedTrial trial(record.seed, rules, sentinel);
  for (const json& item : value.at("rounds")) {
    const std::optional<Round> round = trial.next();
    if (!round) break;
    RoundReply reply;
    std::size_t used[3] = {0, 0, 0};
    const bool timed = !item.at(2).empty();
    for (const int arm : round->order) {
      if (!timed) break;
      const std::size_t place = arm == kCanary ? 2 : static_cast<std::size_t>(arm);
      reply.ns.push_back(number_from(item.at(place).at(used[place]++)));
    }
    for (std::size_t i = 3; i < item.size(); ++i) {
      if (item[i] == "stolen") {
        reply.stolen = true;
        continue;
      }
      reply.failed = whole_from<int>(item[i].at("failed"), "failed");
      reply.failure =
          parse_outcome(item[i].at("outcome").get<std::string>()).value_or(Outcome::runtime);
    }
    trial.report(reply);
    record.replies.push_back(std::move(reply));
  }
  return record;
}

// Files of before the worker's own words were kept have no probe, and the error under its long
// name.
Prepared side_from(const json& value) {
  if (!value.contains("error_over_bound")) return prepared_from_json(value);
  json renamed = value;
  renamed["error"] = value["error_over_bound"];
  renamed["probe_ns"] = 0;
  return prepared_from_json(renamed);
}

json to_json(const GateCase& one, const GateRules& rules, bool sentinel) {
  json trials = json::array();
  for (const TrialRecord& trial : one.trials) trials.push_back(to_json(trial, rules, sentinel));
  json value = {{"case", one.name},
                {"in_base", one.in_base},
                {"in_candidate", one.in_candidate},
                {"equal", one.equal},
                {"same_as", one.same_as},
                {"base", to_json(one.base)},
                {"candidate", to_json(one.candidate)},
                {"trials", trials}};
  if (!one.untimed.empty()) value["untimed"] = one.untimed;
  return value;
}

GateCase case_from(const json& value, const GateRules& rules, bool sentinel) {
  GateCase one;
  value.at("case").get_to(one.name);
  value.at("in_base").get_to(one.in_base);
  value.at("in_candidate").get_to(one.in_candidate);
  value.at("equal").get_to(one.equal);
  value.at("same_as").get_to(one.same_as);
  if (value.contains("untimed")) value.at("untimed").get_to(one.untimed);
  one.base = side_from(value.at("base"));
  one.candidate = side_from(value.at("candidate"));
  for (const json& trial : value.at("trials")) {
    one.trials.push_back(trial_from(trial, rules, sentinel));
  }
  return one;
}

constexpr std::string_view kBlanks = " \t\r\n";

// What kind of file of ours a JSON text says it is, without a parse of a file that may be long and
// is parsed later; empty where it says nothing. A string that is no member's name has no colon
// behind it.
std::string schema_in(std::string_view text) {
  constexpr std::string_view kName = "\"schema\"";
  constexpr std::string_view kOurs = "\"loratune/";
  for (std::size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
    const std::size_t colon = text.find_first_not_of(kBlanks, at + kName.size());
    if (colon == text.npos || text[colon] != ':') continue;
    const std::size_t value = text.find_first_not_of(kBlanks, colon + 1);
    if (value == text.npos || !text.substr(value).starts_with(kOurs)) continue;
    const std::size_t begin = value + kOurs.size();
    return std::string(text.substr(begin, text.find('"', begin) - begin));
  }
  return {};
}

}  // namespace

PairedTrial trial_of(const TrialRecord& record, const GateRules& rules, bool sentinel) {
  PairedTrial trial(record.seed, rules, sentinel);
  for (const RoundReply& reply : record.replies) trial.report(reply);
  return trial;
}

json to_json(const GateResult& result) {
  json sentinels = json::array();
  json cases = json::array();
  for (const GateCase& one : result.sentinels) {
    sentinels.push_back(to_json(one, result.rules, true));
  }
  for (const GateCase& one : result.cases) cases.push_back(to_json(one, result.rules, false));
  json value = {{"schema", "loratune/gate"},
                {"version", kResultVersion},
                {"clock", "wall"},
                {"tool", to_json(result.tool)},
                {"base_tool", to_json(result.base_tool)},
                {"candidate_tool", to_json(result.candidate_tool)},
                {"base_path", result.base_path},
                {"against_path", result.against_path},
                {"made_with", result.made_with},
                {"device", to_json(result.device)},
                {"seed", result.seed},
                {"rules", to_json(result.rules)},
                {"strict", result.strict},
                {"time_unchanged", result.time_unchanged},
                {"allow_missing", result.allow_missing},
                {"launch_floor_ns", whole_ns(result.launch_floor_ns)},
                {"sentinels", sentinels},
                {"cases", cases}};
  if (result.interrupted) value["interrupted"] = true;
  return value;
}

GateResult gate_from_json(const json& value) {
  if (!value.is_object() || value.value("schema", json()) != "loratune/gate") {
    throw std::invalid_argument("no result of a gate");
  }
  if (value.value("version", json()) != kResultVersion) {
    throw std::invalid_argument("a gate's result of another version than " +
                                std::to_string(kResultVersion));
  }
  GateResult result;
  result.tool = tool_from(value.at("tool"));
  result.base_tool = tool_from(value.at("base_tool"));
  result.candidate_tool = tool_from(value.at("candidate_tool"));
  value.at("base_path").get_to(result.base_path);
  value.at("against_path").get_to(result.against_path);
  if (value.contains("made_with")) value.at("made_with").get_to(result.made_with);
  result.device = device_from_json(value.at("device"));
  result.seed = whole_from<std::uint64_t>(value.at("seed"), "seed");
  result.rules = rules_from(value.at("rules"));
  value.at("strict").get_to(result.strict);
  value.at("time_unchanged").get_to(result.time_unchanged);
  value.at("allow_missing").get_to(result.allow_missing);
  if (value.contains("interrupted")) value.at("interrupted").get_to(result.interrupted);
  result.launch_floor_ns = number_from(value.at("launch_floor_ns"));
  for (const json& one : value.at("sentinels")) {
    result.sentinels.push_back(case_from(one, result.rules, true));
  }
  for (const json& one : value.at("cases")) {
    result.cases.push_back(case_from(one, result.rules, false));
  }
  return result;
}

bool is_gate_result(const std::string& path) {
  constexpr std::size_t kHead = 100;
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  const std::string head = unpacked_head(path, kHead);
  std::string_view text = head;
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  if (!text.starts_with('{')) return false;
  try {
    const std::string schema = schema_in(read_unpacked(path, "gate result"));
    return schema.empty() || schema == "gate";
  } catch (const Failure&) {
    return true;  // read_gate_result() says what is wrong with it
  }
}

GateResult read_gate_result(const std::string& path) {
  const std::string bytes = read_unpacked(path, "gate result");
  try {
    return gate_from_json(parse_json(bytes));
  } catch (const std::exception& error) {
    throw Failure(kExitUsage,
                  "gate result '" + printable(path, 200) + "': " + printable(error.what(), 200));
  }
}

}  // namespace loratune
