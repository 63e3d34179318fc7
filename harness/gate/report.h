// A gate's verdicts, and how they are shown. All of it is a function of the GateResult alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/base/failure.h"
#include "harness/gate/result.h"

namespace loratune {

struct GateRow {
  std::string name;
  CaseVerdict verdict{};
  bool allowed = false;  // a missing case that may be
  int rounds = 0;        // valid ones, of the trial that the figures are of; 0: not timed
  int void_rounds = 0;
  // candidate / base: of the confirming trial where there was one.
  double ratio = 1, ratio_low = 1, ratio_high = 1;
  double detectable = 0;  // PairedTrial::detectable() of that trial, and what a wide sentinel adds
  double base_ns = 0, candidate_ns = 0;
  std::string note;
};

// What a sentinel's two equal kernels say of the times of a case.
enum class SentinelState : std::uint8_t {
  equal,   // timed as equal
  wide,    // not proven to differ, but the times scatter too much to be sure
  biased,  // proven to differ by more than the rules allow
  untimed  // no time can be believed
};
struct SentinelReading {
  SentinelState state;
  double low, high;  // interval of ln(candidate / base)
};

// A sentinel's last trial as it went; nothing where it was not timed.
std::optional<PairedTrial> sentinel_trial(const GateCase& sentinel, const GateRules& rules);

// What the sentinel says of itself, and of a case whose base takes no longer.
SentinelReading read_sentinel(const std::optional<PairedTrial>& trial, const GateRules& rules);
// Whether the sentinel has had the trials that it wants. Where the first says that times cannot be
// believed, a second is to confirm it: as of a case that was timed as slower, in another process,
// where memory is laid out otherwise.
bool stands(const GateCase& sentinel, const GateRules& rules);
// What the sentinel says of a case whose base takes `case_ns`. What disturbs a sentinel that does
// little but launch is a number of nanoseconds, not a share of its time: of a longer case such a
// sentinel speaks in proportion to the two times. Other sentinels speak in full.
SentinelReading read_sentinel(const std::optional<PairedTrial>& trial, const GateRules& rules,
                              double launch_floor_ns, double case_ns);

// What the sentinels that are about as long as the case, or nearest to it, say together: the worst
// of their states, and the hull of the intervals of the sentinels that are not equal. What disturbs
// a kernel of microseconds says little of a kernel of milliseconds, and the other way round. An
// untimed sentinel speaks of every case.
SentinelReading read_sentinels(std::span<const std::optional<PairedTrial>> trials,
                               const GateRules& rules, double launch_floor_ns, double case_ns);

struct GateReport {
  ExitCode exit = kExitGood;
  std::string verdict;  // a word; PASS, or what the exit code stands for
  std::string summary;  // one line
  // ENVIRONMENT marks a sentinel that was not timed, or as different; INCONCLUSIVE one that is
  // wide. A case loses its verdict on times where a sentinel is biased for it. Where one is wide,
  // REGRESSED and IMPROVED stand if every trial has its interval beyond the sentinels', and PASS if
  // the case would be seen to be 5 % slower even then; it is INCONCLUSIVE otherwise.
  std::vector<GateRow> sentinels;
  std::vector<GateRow> rows;  // worst first
};

GateReport judge(const GateResult& result);

std::string to_text(const GateResult& result, const GateReport& report);
// What gate.json holds and --json prints: the result, and what it came to: the verdict, the exit
// code, and of each case and sentinel the row. gate_from_json() reads it, and judges anew.
std::string to_json_text(const GateResult& result, const GateReport& report);
// At most 50 rows; names escaped.
std::string to_markdown(const GateResult& result, const GateReport& report);
std::string to_junit(const GateResult& result, const GateReport& report);

}  // namespace loratune
