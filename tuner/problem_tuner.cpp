#include "tuner/problem_tuner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tuner/random.h"

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

bool holds(const std::vector<int>& values, int value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

ProblemTuner::ProblemTuner(int candidates, std::uint64_t seed, TunerRules rules, int parts)
    : seed_(seed), rules_(std::move(rules)), parts_(parts) {
  if (candidates < 1)
    throw std::invalid_argument("tuner: there is no candidate, not even a default");
  // A final proves by its interval, so no gap, however wide, may end it before the first look.
  rules_.final.drop_after_3 = std::numeric_limits<double>::infinity();
  prepared_.resize(at(candidates));
  reported_.resize(at(candidates));
  log_ratios_.resize(at(candidates), std::numeric_limits<double>::quiet_NaN());
  verdicts_.resize(at(parts));
}

ProblemTuner::Want ProblemTuner::want() const {
  switch (stage_) {
    case Stage::prepare:
      return Want::prepare;
    case Stage::heats:
    case Stage::deciding:
      return Want::round;
    case Stage::final:
      return Want::final_round;
    case Stage::done:
      break;
  }
  return Want::nothing;
}

std::vector<int> ProblemTuner::to_prepare() const {
  std::vector<int> wanted;
  for (int i = 0; stage_ == Stage::prepare && i < static_cast<int>(prepared_.size()); ++i) {
    if (!reported_[at(i)]) wanted.push_back(i);
  }
  return wanted;
}

Round ProblemTuner::next() const {
  const std::optional<Round> wanted = race_ ? race_->next() : std::nullopt;
  if (!wanted) throw std::logic_error("tuner: no round is wanted");
  Round round = *wanted;
  for (int& arm : round.order) arm = arm == kCanary ? kCanary : arms_[at(arm)];
  return round;
}

void ProblemTuner::report(int candidate, const Prepared& prepared) {
  if (stage_ != Stage::prepare) return;
  prepared_.at(at(candidate)) = prepared;
  reported_[at(candidate)] = true;
  if (to_prepare().empty()) begin_heats();
}

void ProblemTuner::report(std::span<const RoundReply> parts) {
  if (!race_ || race_->end() != RaceEnd::running) return;
  std::vector<RoundReply> translated(parts.begin(), parts.end());
  for (RoundReply& reply : translated) {
    if (reply.failed < 0) continue;
    const auto arm = std::find(arms_.begin(), arms_.end(), reply.failed);
    if (arm == arms_.end()) throw std::invalid_argument("tuner: what failed is not in the race");
    reply.failed = static_cast<int>(arm - arms_.begin());
  }
  race_->report(translated);
  if (race_->end() != RaceEnd::running) race_ended();
}

void ProblemTuner::stop() {
  const bool again = stopped_;
  stopped_ = true;
  if (stage_ == Stage::prepare) {
    for (const int i : to_prepare()) prepared_[at(i)].detail = "the search was stopped";
    const bool failed = reported_[0] && !usable(0);
    finish(0, failed ? "default_failed" : "stopped");
  } else if (stage_ == Stage::heats || stage_ == Stage::deciding ||
             (stage_ == Stage::final && again)) {
    race_->stop();
    race_ended();
  }
}

Verdict ProblemTuner::verdict(int part) const { return verdicts_.at(at(part)); }
const std::vector<Prepared>& ProblemTuner::prepared() const { return prepared_; }
std::vector<double> ProblemTuner::log_ratios() const { return log_ratios_; }
int ProblemTuner::finals_won() const { return finals_won_; }

bool ProblemTuner::usable(int candidate) const {
  const Outcome outcome = prepared_[at(candidate)].outcome;
  return outcome == Outcome::correct || (candidate == 0 && outcome == Outcome::slow);
}

void ProblemTuner::begin_heats() {
  if (!usable(0)) return finish(0, "default_failed");
  log_ratios_[0] = 0;
  std::vector<int> racers;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < static_cast<int>(prepared_.size()); ++i) {
    if (!usable(i)) continue;
    if (i != 0) racers.push_back(i);
    if (is_time(prepared_[at(i)].probe_ns)) best = std::min(best, prepared_[at(i)].probe_ns);
  }
  std::erase_if(racers, [&](int i) {
    if (!(prepared_[at(i)].probe_ns > rules_.probe_limit * best)) return false;
    prepared_[at(i)].outcome = Outcome::slow;
    return true;
  });
  if (racers.empty()) return finish(0, "only_default");

  // The most promising go first, so that a search that is stopped has seen them.
  std::stable_sort(racers.begin(), racers.end(), [&](int a, int b) {
    const auto probe = [&](int i) {
      const double ns = prepared_[at(i)].probe_ns;
      return is_time(ns) ? ns : std::numeric_limits<double>::infinity();
    };
    return probe(a) < probe(b);
  });
  while (racers.size() > at(rules_.most_racers)) {
    prepared_[at(racers.back())].outcome = Outcome::slow;
    racers.pop_back();
  }
  const std::size_t heat = at(kMaxArms - 1);
  for (std::size_t i = 0; i < racers.size(); i += heat) {
    const auto first = racers.begin() + static_cast<std::ptrdiff_t>(i);
    const auto count = static_cast<std::ptrdiff_t>(std::min(heat, racers.size() - i));
    pending_heats_.emplace_back(first, first + count);
  }
  start_race(Stage::heats, pending_heats_.front());
}

void ProblemTuner::start_race(Stage stage, std::vector<int> arms) {
  stage_ = stage;
  if (stage == Stage::heats) pending_heats_.erase(pending_heats_.begin());
  arms_ = std::move(arms);
  arms_.insert(arms_.begin(), 0);
  race_.emplace(static_cast<int>(arms_.size()),
                mix_seed(seed_, static_cast<std::uint64_t>(races_++)),
                stage == Stage::final ? rules_.final : rules_.race, parts_);
}

void ProblemTuner::race_ended() {
  keep_standings();
  if (race_->end() == RaceEnd::anchor_lost) return finish(0, "default_failed");
  if (race_->end() == RaceEnd::environment) return finish(0, "environment");
  if (stage_ == Stage::final) return final_ended();
  heat_ended();
}

// Keeps outcomes, ratios, and the default's times in the latest race that timed it: a verdict for
// the default cites them.
void ProblemTuner::keep_standings() {
  const std::vector<Standing>& standings = race_->standings();
  for (std::size_t arm = 0; arm < standings.size(); ++arm) {
    const std::size_t candidate = at(arms_[arm]);
    if (standings[arm].outcome != Outcome::correct) {
      prepared_[candidate].outcome = standings[arm].outcome;
      prepared_[candidate].detail = "failed in a race";
      log_ratios_[candidate] = std::numeric_limits<double>::quiet_NaN();
    } else if (stage_ != Stage::final && standings[arm].rounds > 0) {
      log_ratios_[candidate] = standings[arm].log_ratio.median;
    }
  }
  if (standings[kAnchor].rounds == 0) return;
  for (int part = 0; part < parts_; ++part) {
    const Standing anchor = race_->standing(part, kAnchor);
    Verdict& verdict = verdicts_[at(part)];
    verdict.time_ns = verdict.default_ns = anchor.slope_ns > 0 ? anchor.slope_ns : anchor.ns;
    verdict.rounds = anchor.rounds;
    verdict.level = std::isfinite(anchor.log_ratio.low) ? anchor.log_ratio.level : 0;
  }
}

void ProblemTuner::heat_ended() {
  std::vector<int> leaders;
  for (const int arm : race_->leaders()) leaders.push_back(arms_[at(arm)]);
  if (stage_ == Stage::deciding) {
    // A deciding race that is cut off before its first look knows less than the heats before it.
    if (stopped_ && race_->valid_rounds() < rules_.race.looks.first()) return decide_heats();
    return start_final(leaders);
  }
  if (holds(leaders, 0)) {
    tied_.insert(tied_.end(), leaders.begin(), leaders.end());
  } else {
    winners_.push_back(leaders);
  }
  if (stopped_ || pending_heats_.empty()) return decide_heats();
  start_race(Stage::heats, pending_heats_.front());
}

// Only heats that put the default behind have candidates worth choosing. Where several have, their
// leaders meet in one more race.
void ProblemTuner::decide_heats() {
  for (std::vector<int>& group : winners_) {
    std::erase_if(group, [&](int i) { return !usable(i); });
  }
  std::erase_if(winners_, [](const std::vector<int>& group) { return group.empty(); });
  if (winners_.empty()) {
    tied_.push_back(0);
    std::sort(tied_.begin(), tied_.end());
    tied_.erase(std::unique(tied_.begin(), tied_.end()), tied_.end());
    return start_final(by_ratio(tied_));
  }
  if (winners_.size() == 1) return start_final(winners_.front());

  std::vector<int> all;
  for (const auto& group : winners_) all.insert(all.end(), group.begin(), group.end());
  all = by_ratio(all);
  if (stopped_) {  // no race compared the heats' winners: the best one's heat is what is known
    const auto best = std::find_if(winners_.begin(), winners_.end(),
                                   [&](const auto& group) { return holds(group, all.front()); });
    return start_final(*best);
  }
  if (all.size() > at(kMaxArms - 1)) all.resize(at(kMaxArms - 1));
  start_race(Stage::deciding, all);
}

void ProblemTuner::start_final(const std::vector<int>& leaders) {
  if (leaders.empty() || holds(leaders, 0)) {
    return finish(0, stopped_ ? "stopped" : "no_significant_gain");
  }
  start_race(Stage::final, {leaders.front()});
}

void ProblemTuner::final_ended() {
  const double low = std::exp(-race_->standings()[1].log_ratio.high);
  bool proved = race_->standings()[1].outcome == Outcome::correct && low > rules_.final.tie;
  std::vector<Verdict> verdicts;
  for (int part = 0; part < parts_; ++part) {
    const Standing anchor = race_->standing(part, kAnchor);
    const Standing choice = race_->standing(part, 1);
    const bool slopes = anchor.slope_ns > 0 && choice.slope_ns > 0;
    Verdict& verdict = verdicts.emplace_back();
    verdict.time_ns = slopes ? choice.slope_ns : choice.ns;
    verdict.default_ns = slopes ? anchor.slope_ns : anchor.ns;
    verdict.speedup = std::exp(-choice.log_ratio.median);
    verdict.speedup_low = std::exp(-choice.log_ratio.high);
    verdict.speedup_high = std::exp(-choice.log_ratio.low);
    verdict.level = choice.log_ratio.level;
    verdict.rounds = choice.rounds;
    proved = proved && verdict.speedup > 1 / rules_.final.tie;
  }
  if (!proved) {
    const bool cut_short = race_->end() == RaceEnd::stopped;
    return finish(0, cut_short ? "stopped" : "no_significant_gain");
  }
  if (finals_won_++ == 0 || low < least_low_) {
    least_low_ = low;
    least_proven_ = std::move(verdicts);
  }
  if (finals_won_ < rules_.finals) return start_race(Stage::final, {arms_[1]});
  verdicts_ = std::move(least_proven_);
  finish(arms_[1], "measured");
}

void ProblemTuner::finish(int choice, const std::string& reason) {
  stage_ = Stage::done;
  for (Verdict& verdict : verdicts_) {
    if (verdict.rounds == 0 && usable(0)) {
      verdict.time_ns = verdict.default_ns = prepared_[0].probe_ns;
    }
    verdict.choice = choice;
    verdict.reason = reason;
    verdict.error_over_bound = prepared_[at(choice)].error_over_bound;
  }
}

std::vector<int> ProblemTuner::by_ratio(std::vector<int> candidates) const {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](int a, int b) { return log_ratios_[at(a)] < log_ratios_[at(b)]; });
  return candidates;
}

}  // namespace loratune
