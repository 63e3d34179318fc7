// A Race decides which of a few arms runs fastest, in rounds of interleaved blocks. Each arm is
// scored against the anchor of the same round, so that drift and noise common to a round cancel.
// The race asks for rounds and is told times; it knows no clock and no device, and its end follows
// from seed and replies alone.
//
// A race may be over several problems at once (its parts): every round is run on each part. An
// arm's time is then the geometric mean of its times on the parts, and an arm whose median is
// behind the anchor's by more than a tie on any part is out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "tuner/paired_samples.h"
#include "tuner/rounds.h"
#include "tuner/stopping.h"

namespace loratune {

inline constexpr int kMaxArms = 12;  // more in one round and its blocks lie too far apart to pair
inline constexpr int kAnchor = 0;    // the default: what every arm is compared with

struct RaceRules {
  int sub_blocks = 4;  // blocks of an arm in a round; its time is their minimum
  Looks looks = Looks::of_a_heat();
  double level = kUsualLevel;  // least coverage of an interval
  double drop_after_3 = 1.5;   // an arm whose best time is beyond this multiple of the leader's
  double tie = 1.02;           // ratios inside are no difference worth a choice
  double canary_limit = 2.0;  // a round is void above this multiple of the canary's 10th percentile
  bool doubled = false;       // measure the slope too
};

// How one arm stands in the race.
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
  // numbers, no part, or rules without a look.
  Race(int arms, std::uint64_t seed, RaceRules rules, int parts = 1);

  // The round wanted next; nothing when the race has ended.
  std::optional<Round> next() const;
  // The reply to next() of each part; ignored once the race has ended. An arm that failed is
  // dropped with its outcome. No values at all: a void round. Throws std::invalid_argument if there
  // are not as many as parts, the values are not parallel to the order, or the failed arm was not
  // in it.
  void report(std::span<const RoundReply> parts);
  void report(const RoundReply& reply) { report({&reply, 1}); }
  // Ends the race with what is known: the intervals are read once more.
  void stop();

  RaceEnd end() const;
  const std::vector<Standing>& standings() const;
  // An arm's times on one part.
  Standing standing(int part, int arm) const;
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
  void read(const PairedSamples& samples, int arm, Standing& standing) const;
  void update_standings();
  void drop_far();
  void drop_by_interval();
  bool slower_somewhere(int arm) const;
  bool none_worth_more() const;
  MedianInterval compare(int arm, int other) const;

  std::uint64_t seed_;
  RaceRules rules_;
  RaceEnd end_ = RaceEnd::running;
  int rounds_ = 0;  // replies, void ones included
  int valid_ = 0;
  VoidRounds voids_;  // of the rounds in which no arm failed
  std::vector<Standing> standings_;
  PairedSamples samples_{0};          // geometric means over the parts
  std::vector<PairedSamples> parts_;  // the samples of each part
  std::vector<CanaryWatch> watches_;
};

}  // namespace loratune
