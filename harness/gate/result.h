// All that a gate measured, as data: enough to come to the verdicts again without a device.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loratune/dispatch/tuned_file.h"
#include "loratune/variants/device_info.h"
#include "tuner/gate.h"
#include "tuner/problem_tuner.h"

namespace loratune {

// The replies of one trial, in order.
struct TrialRecord {
  std::uint64_t seed = 0;
  int runs = 0;  // of a block at its usual length
  std::vector<RoundReply> replies;
};

// The trial as it went.
PairedTrial trial_of(const TrialRecord& record, const GateRules& rules, bool sentinel);

struct GateCase {
  std::string name;
  bool in_base = true, in_candidate = true;
  bool equal = false;        // the plans are
  std::string same_as;       // another case with these very plans, timed in place of this one
  std::string untimed;       // why the two sides cannot be told apart by time; then only checked
  Prepared base, candidate;  // building and checking; skipped where it was not tried
  std::vector<TrialRecord> trials;
};

struct GateResult {
  ToolInfo tool;                        // that ran the gate
  ToolInfo base_tool, candidate_tool;   // that exported the plans
  std::string base_path, against_path;  // as given; the second empty where the tool made them
  // Further options and their values that the plans and their rounds depended on, in turn, as
  // given.
  std::vector<std::string> made_with;
  DeviceInfo device;
  std::uint64_t seed = 1;
  GateRules rules;
  bool strict = false, time_unchanged = false;
  std::vector<std::string> allow_missing;
  bool interrupted = false;  // the cases that it had not come to are missing here
  double launch_floor_ns = 0;
  std::vector<GateCase> sentinels, cases;
};

// What was measured, without what it came to.
nlohmann::json to_json(const GateResult& result);
// Throws nlohmann::json::exception or std::invalid_argument.
GateResult gate_from_json(const nlohmann::json& value);

// Whether the file at `path` may be one: JSON that does not say that it is another file of ours.
// False where it cannot be read. gzip may have compressed it.
bool is_gate_result(const std::string& path);

// Throws Failure (kExitUsage) with one line.
GateResult read_gate_result(const std::string& path);

}  // namespace loratune
