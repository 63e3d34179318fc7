#include "harness/gate/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <span>

namespace loratune {
namespace {

// What of the trials' figures a row shows.
void add_figures(const GateCase& one, const GateRules& rules, bool sentinel, GateRow& row) {
  if (one.trials.empty()) return;
  const PairedTrial trial = trial_of(one.trials.back(), rules, sentinel);
  const MedianInterval interval = trial.interval();
  row.rounds = interval.count;
  row.void_rounds = trial.void_rounds();
  if (interval.count == 0) return;
  row.ratio = std::exp(interval.median);
  row.ratio_low = std::exp(interval.low);
  row.ratio_high = std::exp(interval.high);
  row.detectable = detectable_effect(trial.log_ratios(), rules);
  row.base_ns = trial.base_ns();
  row.candidate_ns = trial.candidate_ns();
}

std::string detail_of(const Prepared& prepared) {
  std::string text(to_string(prepared.outcome));
  if (!prepared.detail.empty()) text += ": " + prepared.detail.substr(0, 200);
  return text;
}

std::string trial_note(TrialEnd end) {
  switch (end) {
    case TrialEnd::environment:
      return "over half of the rounds were disturbed, with short blocks too";
    case TrialEnd::clock:
      return "the wall clock cannot be believed: it stands still, or gives what is no time";
    default:
      return {};
  }
}

CaseVerdict judge_case(const GateCase& one, const GateRules& rules, std::string& note) {
  const Outcome base = one.base.outcome;
  const Outcome candidate = one.candidate.outcome;
  const bool refused = candidate == Outcome::constraints;
  if (!one.in_candidate) return CaseVerdict::missing;
  if (candidate != Outcome::correct && candidate != Outcome::skipped) {
    note = detail_of(one.candidate);
    if (candidate == Outcome::correctness) return CaseVerdict::wrong;
    if (refused && (base == Outcome::constraints || !one.in_base)) return CaseVerdict::skipped;
    return CaseVerdict::fault;
  }
  if (!one.in_base) return CaseVerdict::added;
  if (base != Outcome::correct && base != Outcome::skipped) {
    note = "base: " + detail_of(one.base);
    return CaseVerdict::base_unusable;
  }
  if (one.trials.empty()) {
    const bool tried = candidate == Outcome::correct;
    return one.equal && !tried ? CaseVerdict::unchanged : CaseVerdict::environment;
  }
  std::vector<TrialEnd> ends;
  for (const TrialRecord& trial : one.trials) ends.push_back(trial_of(trial, rules, false).end());
  note = trial_note(ends.back());
  if (ends.size() > 1) {
    const MedianInterval first = trial_of(one.trials.front(), rules, false).interval();
    char text[80];
    std::snprintf(text, sizeof text, "first trial: %.3f (%.3f..%.3f)", std::exp(first.median),
                  std::exp(first.low), std::exp(first.high));
    note = note.empty() ? text : note + "; " + text;
  }
  // A trial that was cut off decides nothing.
  return judge_trials(ends).value_or(CaseVerdict::environment);
}

bool is_timing_verdict(CaseVerdict verdict) {
  switch (verdict) {
    case CaseVerdict::regressed:
    case CaseVerdict::flaky_suspect:
    case CaseVerdict::inconclusive:
    case CaseVerdict::improved:
    case CaseVerdict::pass:
      return true;
    default:
      return false;
  }
}

std::string counted(const std::vector<GateRow>& rows) {
  std::map<CaseVerdict, int> counts;
  for (const GateRow& row : rows) ++counts[row.verdict];
  std::string text;
  for (const auto& [verdict, count] : counts) {
    text +=
        (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(verdict));
  }
  return text;
}

// Whether every trial of a decided case shows more than `noise`, the hull of the sentinels'
// intervals.
bool beyond(const MedianInterval& noise, const GateCase& one, const GateRules& rules,
            CaseVerdict verdict) {
  return std::all_of(one.trials.begin(), one.trials.end(), [&](const TrialRecord& trial) {
    const MedianInterval interval = trial_of(trial, rules, false).interval();
    return (verdict == CaseVerdict::regressed && interval.low > noise.high) ||
           (verdict == CaseVerdict::improved && interval.high < noise.low);
  });
}

// Whether the sentinels leave a case the verdict that its own trials came to.
bool stands(const GateResult& result, std::span<const std::optional<PairedTrial>> sentinels,
            const GateCase& one, const GateRow& row) {
  MedianInterval noise{};
  bool wide = false;
  for (const std::optional<PairedTrial>& sentinel : sentinels) {
    const SentinelReading reading =
        read_sentinel(sentinel, result.rules, result.launch_floor_ns, row.base_ns);
    if (reading.state == SentinelState::biased) return false;
    if (reading.state == SentinelState::equal) continue;
    wide = true;
    noise.low = std::min(noise.low, reading.low);
    noise.high = std::max(noise.high, reading.high);
  }
  return !wide || beyond(noise, one, result.rules, row.verdict);
}

// What a case comes to for the whole gate.
ExitCode exit_code(CaseVerdict verdict, bool strict) {
  switch (verdict) {
    case CaseVerdict::fault:
      return kExitDeviceFault;
    case CaseVerdict::wrong:
      return kExitWrongResult;
    case CaseVerdict::missing:
      return kExitMissingCase;
    case CaseVerdict::regressed:
      return kExitRegression;
    case CaseVerdict::environment:
      return kExitInconclusive;
    case CaseVerdict::inconclusive:
      return strict ? kExitInconclusive : kExitGood;
    default:
      return kExitGood;
  }
}

}  // namespace

std::optional<PairedTrial> sentinel_trial(const GateCase& sentinel, const GateRules& rules) {
  if (sentinel.trials.empty()) return std::nullopt;
  return trial_of(sentinel.trials.back(), rules, true);
}

SentinelReading read_sentinel(const std::optional<PairedTrial>& trial, const GateRules& rules,
                              double launch_floor_ns, double case_ns) {
  // Two launches and little else. What disturbs those is a time, not a share of one.
  constexpr double kLaunchBound = 5;
  const TrialEnd end = trial ? trial->end() : TrialEnd::failed;
  if (end != TrialEnd::pass && end != TrialEnd::inconclusive) {
    return {SentinelState::biased, 0, 0};
  }
  const double ns = trial->base_ns();
  const double weight = ns < kLaunchBound * launch_floor_ns ? std::min(1.0, ns / case_ns) : 1.0;
  const MedianInterval interval = trial->interval();
  SentinelReading reading{SentinelState::equal, weight * interval.low, weight * interval.high};
  const double within = std::log(rules.sentinel);
  if (reading.low >= -within && reading.high <= within) return reading;
  const bool holds_one = interval.low <= 0 && interval.high >= 0;
  reading.state = holds_one ? SentinelState::wide : SentinelState::biased;
  return reading;
}

GateReport judge(const GateResult& result) {
  GateReport report;
  std::vector<std::optional<PairedTrial>> sentinels;
  for (const GateCase& one : result.sentinels) {
    GateRow row;
    row.name = one.name;
    add_figures(one, result.rules, true, row);
    std::optional<PairedTrial> trial = sentinel_trial(one, result.rules);
    const TrialEnd end = trial ? trial->end() : TrialEnd::failed;
    row.verdict = end == TrialEnd::pass ? CaseVerdict::pass : CaseVerdict::environment;
    row.note = trial ? trial_note(end) : detail_of(one.candidate);
    sentinels.push_back(std::move(trial));
    report.sentinels.push_back(std::move(row));
  }
  std::map<std::string, GateRow> by_name;
  for (const GateCase& one : result.cases) {
    GateRow row;
    const bool shared = !one.same_as.empty() && by_name.contains(one.same_as);
    if (shared) {
      row = by_name.at(one.same_as);
      row.note = "same plans as " + one.same_as;
    } else {
      add_figures(one, result.rules, false, row);
      row.verdict = judge_case(one, result.rules, row.note);
    }
    row.name = one.name;
    row.allowed =
        row.verdict == CaseVerdict::missing &&
        std::count(result.allow_missing.begin(), result.allow_missing.end(), one.name) > 0;
    if (!shared && is_timing_verdict(row.verdict) && !stands(result, sentinels, one, row)) {
      row.verdict = CaseVerdict::environment;
      row.note = "a sentinel differed or scattered by as much";
    }
    by_name[one.name] = row;
    report.rows.push_back(std::move(row));
  }
  std::stable_sort(report.rows.begin(), report.rows.end(), [](const GateRow& a, const GateRow& b) {
    if (a.verdict != b.verdict) return a.verdict < b.verdict;
    return a.ratio > b.ratio;
  });

  for (const GateRow& row : report.rows) {
    const ExitCode code = row.allowed ? kExitGood : exit_code(row.verdict, result.strict);
    if (worse(code, report.exit) != code || code == report.exit) continue;
    report.exit = code;
    report.verdict = to_string(row.verdict);
  }
  if (report.exit == kExitGood) report.verdict = "PASS";
  report.summary = "gate: " + report.verdict + ", exit " + std::to_string(report.exit) + ": " +
                   std::to_string(report.rows.size()) + " cases: " + counted(report.rows);
  return report;
}

}  // namespace loratune
