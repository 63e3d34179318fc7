#include "tuner/race.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>

namespace loratune {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int kRoundsToSeeFar = 3;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::vector<double> times(const std::vector<double>& rounds) {
  std::vector<double> valid;
  std::copy_if(rounds.begin(), rounds.end(), std::back_inserter(valid), is_time);
  return valid;
}

}  // namespace

Race::Race(int arms, std::uint64_t seed, RaceRules rules)
    : seed_(seed), rules_(std::move(rules)), watch_(rules_.canary_limit) {
  if (arms < 1 || arms > kMaxArms) throw std::invalid_argument("race: number of arms");
  if (rules_.looks.empty() || rules_.sub_blocks < 1) throw std::invalid_argument("race: rules");
  standings_.resize(at(arms));
  ns_.resize(at(arms));
  doubled_ns_.resize(at(arms));
  update_standings();
  if (arms == 1) end_ = RaceEnd::separated;
}

std::optional<Round> Race::next() const {
  if (end_ != RaceEnd::running) return std::nullopt;
  std::vector<int> blocks = contenders();
  if (!contends(kAnchor)) blocks.insert(blocks.begin(), kAnchor);
  Round round = shuffled_round(seed_, rounds_, std::move(blocks), rules_.sub_blocks);
  round.doubled = rules_.doubled;
  return round;
}

void Race::report(const RoundReply& reply) {
  const std::optional<Round> round = next();
  if (!round) return;
  if (reply.failed >= kAnchor) {
    fail(*round, reply);
  } else if (watch_.undisturbed(*round, reply) &&
             is_time(least_time(round->order, reply.ns, kAnchor))) {
    add_times(*round, reply);
    ++valid_;
  } else {
    ++rounds_;
    const int disturbed = void_rounds() - failures_;
    const int counted = rounds_ - failures_;
    if (counted >= kMinRounds && 2 * disturbed > counted) end_ = RaceEnd::environment;
    return;
  }
  ++rounds_;
  if (end_ != RaceEnd::running) return;

  update_standings();
  const bool timed = reply.failed < kAnchor;
  const bool look = timed && std::count(rules_.looks.begin(), rules_.looks.end(), valid_) > 0;
  const bool last = timed && valid_ >= *std::max_element(rules_.looks.begin(), rules_.looks.end());
  if (look || last) {
    standings_[kAnchor].dropped = false;
    drop_by_interval();
  }
  if (timed && valid_ >= kRoundsToSeeFar) drop_far();
  if (contenders().size() <= 1) {
    end_ = RaceEnd::separated;
  } else if (last || (look && none_worth_more())) {
    end_ = RaceEnd::tied;
  }
}

void Race::stop() {
  if (end_ != RaceEnd::running) return;
  drop_by_interval();
  end_ = RaceEnd::stopped;
}

RaceEnd Race::end() const { return end_; }
const std::vector<Standing>& Race::standings() const { return standings_; }
int Race::valid_rounds() const { return valid_; }
int Race::void_rounds() const { return rounds_ - valid_; }

std::vector<int> Race::leaders() const {
  std::vector<int> arms = contenders();
  std::erase_if(arms, [&](int arm) { return arm != kAnchor && standings_[at(arm)].rounds == 0; });
  std::stable_sort(arms.begin(), arms.end(), [&](int a, int b) {
    const auto score = [&](int arm) {
      return arm == kAnchor ? 0.0 : standings_[at(arm)].log_ratio.median;
    };
    return score(a) < score(b);
  });
  if (arms.empty() && standings_[kAnchor].outcome == Outcome::correct) arms = {kAnchor};
  return arms;
}

bool Race::contends(int arm) const {
  const Standing& standing = standings_[at(arm)];
  return standing.outcome == Outcome::correct && !standing.dropped;
}

std::vector<int> Race::contenders() const {
  std::vector<int> arms;
  for (int arm = 0; arm < static_cast<int>(standings_.size()); ++arm) {
    if (contends(arm)) arms.push_back(arm);
  }
  return arms;
}

int Race::leader() const {
  const std::vector<int> arms = leaders();
  return arms.empty() ? kAnchor : arms.front();
}

void Race::fail(const Round& round, const RoundReply& reply) {
  if (std::count(round.order.begin(), round.order.end(), reply.failed) == 0) {
    throw std::invalid_argument("race: an arm failed that was not in the round");
  }
  ++failures_;
  standings_[at(reply.failed)].outcome =
      reply.failure == Outcome::correct ? Outcome::runtime : reply.failure;
  // The arm may be the one that had put the anchor behind.
  standings_[kAnchor].dropped = false;
  if (reply.failed == kAnchor) end_ = RaceEnd::anchor_lost;
}

void Race::add_times(const Round& round, const RoundReply& reply) {
  for (int arm = 0; arm < static_cast<int>(standings_.size()); ++arm) {
    ns_[at(arm)].push_back(least_time(round.order, reply.ns, arm));
    doubled_ns_[at(arm)].push_back(least_time(round.order, reply.doubled_ns, arm));
  }
}

void Race::update_standings() {
  for (int arm = 0; arm < static_cast<int>(standings_.size()); ++arm) {
    Standing& standing = standings_[at(arm)];
    const std::vector<double> ns = times(ns_[at(arm)]);
    const std::vector<double> doubled_ns = times(doubled_ns_[at(arm)]);
    standing.rounds = static_cast<int>(ns.size());
    standing.log_ratio = compare(arm, kAnchor);
    standing.ns = ns.empty() ? 0 : median(ns);
    const double slope = doubled_ns.empty() ? 0 : 2 * median(doubled_ns) - standing.ns;
    standing.slope_ns = is_time(slope) ? slope : 0;
  }
}

// Absolute times: noise of 50 % that lasts for three rounds of four blocks each is rare enough, and
// a few rounds are too few for an interval.
void Race::drop_far() {
  const auto best_time = [&](int arm) {
    const std::vector<double> ns = times(ns_[at(arm)]);
    return static_cast<int>(ns.size()) < kRoundsToSeeFar ? kNone
                                                         : *std::min_element(ns.begin(), ns.end());
  };
  double best = std::numeric_limits<double>::infinity();
  for (const int arm : contenders()) best = std::fmin(best, best_time(arm));
  for (const int arm : contenders()) {
    if (best_time(arm) > rules_.drop_after_3 * best) standings_[at(arm)].dropped = true;
  }
}

void Race::drop_by_interval() {
  const int first = leader();
  for (const int arm : contenders()) {
    const bool rarely_timed = 2 * standings_[at(arm)].rounds < valid_;
    if (rarely_timed || (arm != first && compare(arm, first).low > std::log(rules_.tie))) {
      standings_[at(arm)].dropped = true;
    }
  }
}

// More rounds would not change the choice: no arm beats the anchor by more than a tie or, once the
// anchor is behind, all that are left are within a tie of the leader.
bool Race::none_worth_more() const {
  const double tie = std::log(rules_.tie);
  const int first = leader();
  const std::vector<int> arms = contenders();
  return std::all_of(arms.begin(), arms.end(), [&](int arm) {
    if (contends(kAnchor)) return arm == kAnchor || compare(kAnchor, arm).high < tie;
    return arm == first || compare(arm, first).high < tie;
  });
}

MedianInterval Race::compare(int arm, int other) const {
  std::vector<double> log_ratios;
  for (std::size_t i = 0; i < ns_[at(arm)].size(); ++i) {
    const double ratio = ns_[at(arm)][i] / ns_[at(other)][i];
    if (is_time(ratio)) log_ratios.push_back(std::log(ratio));
  }
  return median_interval(log_ratios, rules_.level);
}

}  // namespace loratune
