#include "tuner/race.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace loratune {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

Race::Race(int arms, std::uint64_t seed, RaceRules rules, int parts)
    : seed_(seed), rules_(std::move(rules)) {
  if (arms < 1 || arms > kMaxArms) throw std::invalid_argument("race: number of arms");
  if (!rules_.looks.valid() || rules_.sub_blocks < 1) throw std::invalid_argument("race: rules");
  if (parts < 1) throw std::invalid_argument("race: number of parts");
  standings_.resize(at(arms));
  samples_ = PairedSamples(arms);
  parts_.resize(at(parts), samples_);
  watches_.resize(at(parts), CanaryWatch(rules_.canary_limit));
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

void Race::report(std::span<const RoundReply> parts) {
  const std::optional<Round> round = next();
  if (!round) return;
  if (parts.size() != parts_.size()) throw std::invalid_argument("race: number of replies");
  const auto failed = std::find_if(parts.begin(), parts.end(),
                                   [](const RoundReply& reply) { return reply.failed >= kAnchor; });
  bool undisturbed = true;
  for (std::size_t i = 0; failed == parts.end() && i < parts.size(); ++i) {
    undisturbed = watches_[i].undisturbed(*round, parts[i]) &&
                  is_time(least_time(round->order, parts[i].ns, kAnchor)) && undisturbed;
  }
  if (failed != parts.end()) {
    fail(*round, *failed);
  } else if (undisturbed) {
    samples_.add(*round, parts);
    for (std::size_t i = 0; i < parts.size(); ++i) parts_[i].add(*round, parts[i]);
    voids_.add(false);
    ++valid_;
  } else {
    ++rounds_;
    voids_.add(true);
    if (voids_.too_many()) end_ = RaceEnd::environment;
    return;
  }
  ++rounds_;
  if (end_ != RaceEnd::running) return;

  update_standings();
  const bool timed = failed == parts.end();
  const bool look = timed && rules_.looks.reads_after(valid_);
  const bool last = timed && rules_.looks.ends_after(valid_);
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
  standings_[at(reply.failed)].outcome =
      reply.failure == Outcome::correct ? Outcome::runtime : reply.failure;
  // Perhaps it was this arm that had put the anchor behind.
  standings_[kAnchor].dropped = false;
  if (reply.failed == kAnchor) end_ = RaceEnd::anchor_lost;
}

void Race::read(const PairedSamples& samples, int arm, Standing& standing) const {
  standing.rounds = samples.rounds(arm);
  standing.log_ratio = samples.log_ratio(arm, kAnchor, rules_.level);
  standing.ns = standing.rounds == 0 ? 0 : samples.median_ns(arm);
  standing.slope_ns = samples.slope_ns(arm);
}

void Race::update_standings() {
  for (int arm = 0; arm < static_cast<int>(standings_.size()); ++arm) {
    read(samples_, arm, standings_[at(arm)]);
  }
}

Standing Race::standing(int part, int arm) const {
  Standing standing = standings_.at(at(arm));
  read(parts_.at(at(part)), arm, standing);
  return standing;
}

// Absolute times: noise of 50 % that lasts for three rounds of four blocks each is rare enough, and
// a few rounds are too few for an interval.
void Race::drop_far() {
  const auto best_time = [&](int arm) {
    const std::vector<double> ns = samples_.times_ns(arm);
    return static_cast<int>(ns.size()) < kRoundsToSeeFar ? kNone
                                                         : *std::min_element(ns.begin(), ns.end());
  };
  double best = std::numeric_limits<double>::infinity();
  for (const int arm : contenders()) {
    if (!slower_somewhere(arm)) best = std::fmin(best, best_time(arm));
  }
  for (const int arm : contenders()) {
    if (best_time(arm) > rules_.drop_after_3 * best) standings_[at(arm)].dropped = true;
  }
}

void Race::drop_by_interval() {
  for (const int arm : contenders()) {
    if (slower_somewhere(arm)) standings_[at(arm)].dropped = true;
  }
  const int first = leader();
  for (const int arm : contenders()) {
    const bool rarely_timed = 2 * standings_[at(arm)].rounds < valid_;
    if (rarely_timed || (arm != first && compare(arm, first).low > std::log(rules_.tie))) {
      standings_[at(arm)].dropped = true;
    }
  }
}

// Whether one of several parts has the arm behind the anchor by more than a tie, however fast the
// arm is over all of them.
bool Race::slower_somewhere(int arm) const {
  return parts_.size() > 1 &&
         std::any_of(parts_.begin(), parts_.end(), [&](const PairedSamples& part) {
           return part.log_ratio(arm, kAnchor, rules_.level).median > std::log(rules_.tie);
         });
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
  return samples_.log_ratio(arm, other, rules_.level);
}

}  // namespace loratune
