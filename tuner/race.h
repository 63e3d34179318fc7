// A Race decides which of a few arms runs fastest, in rounds of interleaved blocks, each arm scored
// against the anchor of the same round so that drift and noise common to a round cancel. It asks
// for rounds and is told samples; it knows no clock and no device, and is a function of seed and
// replies only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dispatch/outcome.h"
#include "tuner/rounds.h"
#include "tuner/statistics.h"

namespace loratune {

inline constexpr int kMaxArms = 12;  // more in one round and its blocks lie too far apart to pair
inline constexpr int kAnchor = 0;    // the default: what every arm is compared with

struct RaceRules {
  int sub_blocks = 4;  // blocks of an arm in a round; its time is their minimum
  std::vector<int> looks = {10, 20, 40, 80};  // valid rounds after which the intervals are read
  double level = 0.975;                       // least coverage of an interval
  double drop_after_3 = 1.5;  // an arm whose best time is beyond this multiple of the leader's
  double tie = 1.02;          // ratios inside are no difference worth a choice
  double canary_limit = 2.0;  // a round is void above this multiple of the canary's 10th percentile
  bool doubled = false;       // measure the slope too
};

// One arm's standing. `ratio` is of its time to the anchor's.
struct Standing {
  Outcome outcome = Outcome::correct;
  // Behind the leader by more than a tie, with confidence, or without a time in over half of the
  // rounds. The anchor is measured on, and may come back if the arm that led it fails.
  bool dropped = false;
  int rounds = 0;              // valid rounds it took part in
  MedianInterval log_ratio{};  // of ln(t_arm / t_anchor), paired by round
  double ns = 0;               // median over its rounds of the wall time of a run
  double slope_ns = 0;         // 2 median(doubled_ns) - median(ns); 0 when not measured
};

enum class RaceEnd : std::uint8_t {
  running,
  separated,    // one arm leads every other by more than a tie, or only one is left
  tied,         // several arms are left: at the last look, or none can be told to be worth more
  stopped,      // stop() was called
  anchor_lost,  // the anchor failed
  environment   // over half of the rounds were void
};

class Race {
 public:
  // Arms 0..arms-1, arm 0 the anchor; at most kMaxArms. Throws std::invalid_argument on other
  // numbers, or rules without a look.
  Race(int arms, std::uint64_t seed, RaceRules rules);

  // The round wanted next; nothing when the race has ended.
  std::optional<Round> next() const;
  // The reply to next(); ignored once the race has ended. An arm that failed is dropped with its
  // outcome. No values at all: a void round. Throws std::invalid_argument if the values are not
  // parallel to the order, or the failed arm was not in it.
  void report(const RoundReply& reply);
  // Ends the race with what is known: the intervals are read once more.
  void stop();

  RaceEnd end() const;
  const std::vector<Standing>& standings() const;
  // Arms that no look put behind the leader, best median first. The anchor if none is left, unless
  // it failed.
  std::vector<int> leaders() const;
  int valid_rounds() const;
  int void_rounds() const;

 private:
  bool contends(int arm) const;
  std::vector<int> contenders() const;
  int leader() const;
  void fail(const Round& round, const RoundReply& reply);
  void add_times(const Round& round, const RoundReply& reply);
  void update_standings();
  void drop_far();
  void drop_by_interval();
  bool none_worth_more() const;
  // Of ln(t_arm / t_other) over the rounds that timed both.
  MedianInterval compare(int arm, int other) const;

  std::uint64_t seed_;
  RaceRules rules_;
  RaceEnd end_ = RaceEnd::running;
  int rounds_ = 0;  // replies, void ones included
  int valid_ = 0;
  int failures_ = 0;
  std::vector<Standing> standings_;
  std::vector<std::vector<double>> ns_, doubled_ns_;  // [arm][valid round]; NaN: not timed in it
  CanaryWatch watch_;
};

}  // namespace loratune
