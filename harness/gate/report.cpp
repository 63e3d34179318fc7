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
  row.detectable = trial.detectable();
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

// Adds what the first of several trials came to.
void note_first_trial(const GateCase& one, const GateRules& rules, bool sentinel,
                      std::string& note) {
  if (one.trials.size() < 2) return;
  const MedianInterval first = trial_of(one.trials.front(), rules, sentinel).interval();
  char text[80] = "first trial: none of its rounds was undisturbed";
  if (first.count > 0) {
    std::snprintf(text, sizeof text, "first trial: %.3f (%.3f..%.3f)", std::exp(first.median),
                  std::exp(first.low), std::exp(first.high));
  }
  note = note.empty() ? text : note + "; " + text;
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
  if (!one.untimed.empty()) {
    note = one.untimed;
    return CaseVerdict::skipped;
  }
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
  note_first_trial(one, rules, false, note);
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

// Whether every trial of a decided case shows more than the sentinels.
bool beyond(const SentinelReading& noise, const GateCase& one, const GateRules& rules,
            CaseVerdict verdict) {
  return std::all_of(one.trials.begin(), one.trials.end(), [&](const TrialRecord& record) {
    const PairedTrial trial = trial_of(record, rules, false);
    const MedianInterval interval = trial.interval();
    return trial.end() == TrialEnd::environment ||
           (verdict == CaseVerdict::regressed && interval.low > noise.high) ||
           (verdict == CaseVerdict::improved && interval.high < noise.low);
  });
}

// What the sentinels leave of the verdict that a case's own trials came to.
void weigh(const GateResult& result, std::span<const std::optional<PairedTrial>> sentinels,
           const GateCase& one, GateRow& row) {
  const SentinelReading noise =
      read_sentinels(sentinels, result.rules, result.launch_floor_ns, row.base_ns);
  if (noise.state == SentinelState::equal) return;
  if (noise.state != SentinelState::wide) {
    row.verdict = CaseVerdict::environment;
    row.note = noise.state == SentinelState::biased
                   ? "a sentinel, two equal kernels, was timed as different"
                   : "a sentinel could not be timed";
    return;
  }
  // The true ratio is the timed one, less what equal kernels would be timed to differ by.
  row.detectable = (1 + row.detectable) * std::exp(std::max(noise.high, -noise.low)) - 1;
  switch (row.verdict) {
    case CaseVerdict::pass:
      if (row.ratio_high * std::exp(-noise.low) <= kToBeSeen) return;
      break;
    case CaseVerdict::regressed:
    case CaseVerdict::improved:
      if (beyond(noise, one, result.rules, row.verdict)) return;
      break;
    default:
      return;  // nothing was decided
  }
  row.verdict = CaseVerdict::inconclusive;
  row.note = "a sentinel, two equal kernels, scattered by as much";
}

// Of a sentinel's interval.
SentinelReading reading_of(double low, double high, const GateRules& rules) {
  const double within = std::log(rules.sentinel);
  if (low >= -within && high <= within) return {SentinelState::equal, low, high};
  const bool proven = low > within || high < -within;
  return {proven ? SentinelState::biased : SentinelState::wide, low, high};
}

CaseVerdict sentinel_verdict(SentinelState state) {
  switch (state) {
    case SentinelState::equal:
      return CaseVerdict::pass;
    case SentinelState::wide:
      return CaseVerdict::inconclusive;
    default:
      return CaseVerdict::environment;
  }
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

SentinelReading read_sentinel(const std::optional<PairedTrial>& trial, const GateRules& rules) {
  const TrialEnd end = trial ? trial->end() : TrialEnd::failed;
  if (end != TrialEnd::pass && end != TrialEnd::inconclusive) {
    return {SentinelState::untimed, 0, 0};
  }
  const MedianInterval interval = trial->interval();
  return reading_of(interval.low, interval.high, rules);
}

bool stands(const GateCase& sentinel, const GateRules& rules) {
  if (sentinel.trials.size() > 1) return true;
  const SentinelState state = read_sentinel(sentinel_trial(sentinel, rules), rules).state;
  return state != SentinelState::biased && state != SentinelState::untimed;
}

SentinelReading read_sentinel(const std::optional<PairedTrial>& trial, const GateRules& rules,
                              double launch_floor_ns, double case_ns) {
  // Two launches and little else. What disturbs those is a time, not a share of one.
  constexpr double kLaunchBound = 5;
  const SentinelReading own = read_sentinel(trial, rules);
  if (own.state == SentinelState::untimed) return own;
  const double ns = trial->base_ns();
  if (ns >= kLaunchBound * launch_floor_ns || ns >= case_ns) return own;
  return reading_of(own.low * ns / case_ns, own.high * ns / case_ns, rules);
}

SentinelReading read_sentinels(std::span<const std::optional<PairedTrial>> trials,
                               const GateRules& rules, double launch_floor_ns, double case_ns) {
  constexpr double kAboutAsLong = 4;  // times as long or as short
  constexpr double kSameSentinel = 1.5;
  const auto distance = [&](const PairedTrial& trial) {
    return std::fabs(std::log(trial.base_ns() / case_ns));
  };
  double nearest = HUGE_VAL;
  for (const auto& trial : trials) {
    if (trial) nearest = std::fmin(nearest, distance(*trial));
  }
  const double reach = std::max(std::log(kAboutAsLong), nearest + std::log(kSameSentinel));
  SentinelReading together{SentinelState::equal, 0, 0};
  for (const auto& trial : trials) {
    const SentinelReading one = read_sentinel(trial, rules, launch_floor_ns, case_ns);
    if (one.state == SentinelState::equal) continue;
    if (one.state != SentinelState::untimed && distance(*trial) > reach) continue;
    together.state = std::max(together.state, one.state);
    together.low = std::min(together.low, one.low);
    together.high = std::max(together.high, one.high);
  }
  return together;
}

GateReport judge(const GateResult& result) {
  GateReport report;
  std::vector<std::optional<PairedTrial>> sentinels;
  for (const GateCase& one : result.sentinels) {
    GateRow row;
    row.name = one.name;
    add_figures(one, result.rules, true, row);
    std::optional<PairedTrial> trial = sentinel_trial(one, result.rules);
    row.verdict = sentinel_verdict(read_sentinel(trial, result.rules).state);
    row.note = trial ? trial_note(trial->end()) : detail_of(one.candidate);
    note_first_trial(one, result.rules, true, row.note);
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
    if (!shared && is_timing_verdict(row.verdict)) weigh(result, sentinels, one, row);
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
  if (result.interrupted) {
    report.exit = kExitInterrupted;
    report.verdict = "INTERRUPTED";
  }
  report.summary = "gate: " + report.verdict + ", exit " + std::to_string(report.exit) + ": " +
                   std::to_string(report.rows.size()) + " cases: " + counted(report.rows);
  return report;
}

}  // namespace loratune
