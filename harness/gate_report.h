// A gate's verdicts, and how they are shown. All of it is a function of the GateResult alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/cli.h"
#include "harness/gate_result.h"

namespace loratune {

struct GateRow {
  std::string name;
  CaseVerdict verdict{};
  bool allowed = false;  // a missing case that may be
  int rounds = 0;        // valid ones, of the trial that the figures are of; 0: not timed
  int void_rounds = 0;
  // candidate / base: of the confirming trial where there was one.
  double ratio = 1, ratio_low = 1, ratio_high = 1;
  double detectable = 0;  // detectable_effect() of that trial
  double base_ns = 0, candidate_ns = 0;
  std::string note;
};

// What a sentinel's two equal kernels say of the machine.
enum class SentinelState : std::uint8_t {
  equal,  // timed as equal
  wide,   // nothing says that they differ, but the times scatter too much to be sure
  biased  // timed as different, or not timed: no time can be believed
};
SentinelState sentinel_state(const GateCase& sentinel, const GateRules& rules);

struct GateReport {
  ExitCode exit = kExitGood;
  std::string verdict;  // a word; PASS, or what the exit code stands for
  std::string summary;  // one line
  // A sentinel was disturbed. Where its two equal kernels differed, or did not run, there is no
  // verdict on times; where their interval holds 1 but is too wide, REGRESSED and IMPROVED stand
  // for a case whose every trial has its interval beyond the sentinels'.
  bool environment = false;
  std::vector<GateRow> sentinels;
  std::vector<GateRow> rows;  // worst first
};

GateReport judge(const GateResult& result);

std::string to_text(const GateResult& result, const GateReport& report);
// At most 50 rows; names escaped.
std::string to_markdown(const GateResult& result, const GateReport& report);
std::string to_junit(const GateResult& result, const GateReport& report);

}  // namespace loratune
