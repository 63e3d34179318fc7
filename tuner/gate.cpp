#include "tuner/gate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

namespace loratune {
namespace {

std::size_t distinct(const std::vector<double>& values) {
  return std::set<double>(values.begin(), values.end()).size();
}

bool all_times(const RoundReply& reply) {
  return !reply.ns.empty() && std::all_of(reply.ns.begin(), reply.ns.end(), is_time);
}

}  // namespace

void validate(const GateRules& rules) {
  const auto looks_good = [](const Looks& looks) {
    return looks.valid() && looks.first() >= 6 && looks.last() <= 100000;
  };
  if (!looks_good(rules.looks) || !looks_good(rules.sentinel_looks) ||
      !looks_good(rules.short_looks)) {
    throw std::invalid_argument("looks are rising numbers of rounds from 6 to 100000");
  }
  if (rules.short_looks.last() < rules.looks.last()) {
    throw std::invalid_argument("the looks of short cases end before those of others");
  }
  const bool numbers = rules.sub_blocks >= 1 && rules.sub_blocks <= 64 && rules.shorten >= 1 &&
                       rules.shorten <= 64 && rules.level > 0.5 && rules.level < 1 &&
                       rules.worse > 1 && rules.good > 1 && rules.sentinel > 1 &&
                       rules.patience >= 1 && rules.patience <= 100000 && rules.short_ns >= 0 &&
                       rules.canary_limit > 1 && rules.distinct >= 1;
  if (!numbers) throw std::invalid_argument("a rule of the gate is out of range");
}

std::string_view to_string(TrialEnd end) {
  constexpr std::string_view kNames[] = {"running",      "suspect",     "improved", "pass",
                                         "inconclusive", "environment", "clock",    "failed"};
  return kNames[static_cast<unsigned>(end)];
}

std::string_view to_string(CaseVerdict verdict) {
  constexpr std::string_view kNames[] = {
      "WRONG",         "FAULT",        "MISSING",  "REGRESSED", "ENVIRONMENT",
      "FLAKY_SUSPECT", "INCONCLUSIVE", "IMPROVED", "PASS",      "BASE_UNUSABLE",
      "SKIPPED",       "NEW",          "UNCHANGED"};
  return kNames[static_cast<unsigned>(verdict)];
}

PairedTrial::PairedTrial(std::uint64_t seed, GateRules rules, bool sentinel)
    : seed_(seed), rules_(std::move(rules)), sentinel_(sentinel), watch_(rules_.canary_limit) {
  validate(rules_);
}

std::optional<Round> PairedTrial::next() const {
  if (end_ != TrialEnd::running) return std::nullopt;
  return shuffled_round(seed_, rounds_, {kBaseArm, kCandidateArm}, rules_.sub_blocks);
}

void PairedTrial::report(const RoundReply& reply) {
  const std::optional<Round> round = next();
  if (!round) return;
  ++rounds_;
  if (reply.failed >= kBaseArm) {
    failure_ = reply.failure == Outcome::correct ? Outcome::runtime : reply.failure;
    end_ = TrialEnd::failed;
    return;
  }
  const bool undisturbed = watch_.undisturbed(*round, reply);
  if (!undisturbed || !all_times(reply)) {
    void_round(!all_times(reply));
    return;
  }
  voids_.add(false);
  samples_.add(*round, reply);
  look();
}

void PairedTrial::void_round(bool bad_clock) {
  voids_.add(true);
  bad_clock_ += bad_clock ? 1 : 0;
  if (!voids_.too_many()) return;
  if (shorten_ < rules_.shorten) {
    shorten_ = rules_.shorten;
    voids_ = {};
    bad_clock_ = 0;
    return;
  }
  // What disturbs a machine often passes within a second. A clock that lies does not.
  if (2 * bad_clock_ > voids_.counted) {
    end_ = TrialEnd::clock;
  } else if (voids_.counted >= rules_.patience) {
    end_ = TrialEnd::environment;
  }
}

const Looks& PairedTrial::looks() const {
  if (sentinel_) return rules_.sentinel_looks;
  return short_ ? rules_.short_looks : rules_.looks;
}

bool PairedTrial::ends_after(int valid_rounds) const {
  if (looks().ends_after(valid_rounds)) return true;
  return short_ && rules_.looks.ends_after(valid_rounds) && detectable() <= kToBeSeen - 1;
}

double PairedTrial::detectable() const {
  GateRules rules = rules_;
  if (short_) rules.looks = {{std::max(rules.looks.last(), samples_.rounds(kBaseArm))}};
  return detectable_effect(log_ratios(), rules);
}

void PairedTrial::look() {
  const int n = samples_.rounds(kBaseArm);
  // By the shorter arm: swapped arms are to have the same looks.
  if (!sentinel_ && n == rules_.looks.first()) {
    short_ = std::min(base_ns(), candidate_ns()) < rules_.short_ns;
  }
  if (!looks().reads_after(n)) return;
  const auto fewest = static_cast<std::size_t>(rules_.distinct);
  if (distinct(samples_.times_ns(kBaseArm)) < fewest ||
      distinct(samples_.times_ns(kCandidateArm)) < fewest) {
    end_ = TrialEnd::clock;
    return;
  }
  const MedianInterval now = interval();
  const double worse = std::log(rules_.worse);
  const double within = std::log(rules_.sentinel);
  const bool last = ends_after(n);
  if (sentinel_) {
    if (now.low >= -within && now.high <= within) end_ = TrialEnd::pass;
  } else if (now.low > worse) {
    end_ = TrialEnd::suspect;
  } else if (now.high < -worse) {
    end_ = TrialEnd::improved;
  } else if (now.high < std::log(rules_.good) && (now.low > -std::log(rules_.good) || last)) {
    end_ = TrialEnd::pass;
  }
  if (end_ == TrialEnd::running && last) end_ = TrialEnd::inconclusive;
}

MedianInterval PairedTrial::interval() const {
  return samples_.log_ratio(kCandidateArm, kBaseArm, rules_.level);
}
double PairedTrial::base_ns() const { return samples_.median_ns(kBaseArm); }
double PairedTrial::candidate_ns() const { return samples_.median_ns(kCandidateArm); }

double detectable_effect(std::span<const double> log_ratios, const GateRules& rules) {
  constexpr std::size_t kFewest = 6;
  constexpr double kErrorsOfInterval = 2.576;
  constexpr double kErrorsOfPower = 1.960;
  if (log_ratios.size() < kFewest) return std::numeric_limits<double>::infinity();
  const int last = rules.looks.last();
  const OrderRanks ranks = median_ranks(last, rules.level);
  // The interval at the last look, if its rounds have the spread of these.
  const double low = quantile(log_ratios, (ranks.low - 0.5) / last);
  const double high = quantile(log_ratios, (ranks.high - 0.5) / last);
  const double half_width = (high - low) / 2;
  const double seen = rules.worse * std::exp(half_width * (1 + kErrorsOfPower / kErrorsOfInterval));
  return std::max(seen, rules.good) - 1;
}

std::optional<CaseVerdict> judge_trials(std::span<const TrialEnd> trials) {
  if (trials.empty()) return std::nullopt;
  // From there on, the first trial that was not disturbed, or the last.
  const auto counted = [&](std::size_t at) {
    while (at + 1 < trials.size() && trials[at] == TrialEnd::environment) ++at;
    return at;
  };
  const std::size_t first = counted(0);
  switch (trials[first]) {
    case TrialEnd::running:
      return std::nullopt;
    case TrialEnd::improved:
      return CaseVerdict::improved;
    case TrialEnd::pass:
      return CaseVerdict::pass;
    case TrialEnd::inconclusive:
      return CaseVerdict::inconclusive;
    case TrialEnd::environment:
    case TrialEnd::clock:
      return CaseVerdict::environment;
    case TrialEnd::failed:
      return CaseVerdict::fault;
    case TrialEnd::suspect:
      break;
  }
  const std::size_t second = counted(first + 1);
  if (second >= trials.size() || trials[second] == TrialEnd::running) return std::nullopt;
  switch (trials[second]) {
    case TrialEnd::suspect:
      return CaseVerdict::regressed;
    case TrialEnd::environment:
    case TrialEnd::clock:
      return CaseVerdict::environment;  // what was suspected cannot be cleared
    case TrialEnd::failed:
      return CaseVerdict::fault;
    default:
      return CaseVerdict::flaky_suspect;
  }
}

}  // namespace loratune
