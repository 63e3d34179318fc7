// A gate's verdicts, and how they are shown. All of it is a function of the GateResult alone.
#pragma once

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

struct GateReport {
  ExitCode exit = kExitGood;
  std::string verdict;       // a word; PASS, or what the exit code stands for
  std::string summary;       // one line
  bool environment = false;  // a sentinel was disturbed: no verdict on times
  std::vector<GateRow> sentinels;
  std::vector<GateRow> rows;  // worst first
};

GateReport judge(const GateResult& result);

std::string to_text(const GateResult& result, const GateReport& report);
// At most 50 rows; names escaped.
std::string to_markdown(const GateResult& result, const GateReport& report);
std::string to_junit(const GateResult& result, const GateReport& report);

}  // namespace loratune
