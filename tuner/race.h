// A Race decides which of a few arms runs fastest, in rounds of interleaved blocks, each arm scored
// against the anchor of the same round so that drift and noise common to a round cancel. It asks for rounds and
// is told samples; it knows no clock and no device, and is a function of seed and replies only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dispatch/outcome.h"
#include "tuner/statistics.h"

namespace loratune {

inline constexpr int kCanary = -1;  // the fixed kernel that tells a disturbed round
inline constexpr int kAnchor = 0;   // the default: what every arm is compared with

// The blocks to run, in this order; an entry is an arm or kCanary, each as often as
// RaceRules::sub_blocks says. `doubled` asks for each block a second time at twice its length.
struct Round {
  int index = 0;
  bool doubled = false;
  std::vector<int> order;
  bool operator==(const Round&) const = default;
};

// What came of a round. `ns` is parallel to Round::order: wall time of a block divided by its runs.
// `doubled_ns` likewise for the blocks of twice the length, or empty. A value that is not positive and finite is
// void. `stolen`: another tenant took processor time during the round. `failed`: an arm that could
// not go on, and why; the round is void then.
struct RoundReply {
  std::vector<double> ns, doubled_ns;
  bool stolen = false;
  int failed = kCanary - 1;  // none
  Outcome failure = Outcome::correct;
  bool operator==(const RoundReply&) const = default;
};

struct RaceRules {
  int sub_blocks = 4;                     // blocks of an arm in a round; its time is their minimum
  std::vector<int> looks = {10, 20, 40, 80};  // valid rounds after which the intervals are read
  double level = 0.975;                   // least coverage of an interval
  double drop_after_3 = 1.5;              // an arm whose best time is beyond this multiple of the leader's
  double tie = 1.02;                      // ratios inside are no difference worth a choice
  double canary_limit = 2.0;              // a round is void above this multiple of the canary's 10th percentile
  bool doubled = false;                   // measure the slope too
};

// One arm's standing. `ratio` is of its time to the anchor's.
struct Standing {
  Outcome outcome = Outcome::correct;
  bool dropped = false;        // behind the leader by more than a tie, with confidence
  int rounds = 0;              // valid rounds it took part in
  MedianInterval log_ratio{};  // of ln(t_arm / t_anchor), paired by round
  double ns = 0;               // median over its rounds of the wall time of a run
  double slope_ns = 0;         // 2 median(doubled_ns) - median(ns); 0 when not measured
};

enum class RaceEnd : std::uint8_t {
  running,
  separated,    // one arm leads every other by more than a tie, or only one is left
  tied,         // the last look left several arms within a tie
  stopped,      // stop() was called
  anchor_lost,  // the anchor failed
  environment   // over half of the rounds were void
};

class Race {
 public:
  // Arms 0..arms-1, arm 0 the anchor; at most 12.
  Race(int arms, std::uint64_t seed, RaceRules rules);

  // The round wanted next; nothing when the race has ended.
  std::optional<Round> next() const;
  // The reply to next(). An arm that failed is dropped with its outcome.
  void report(const RoundReply& reply);
  // Ends the race with what is known.
  void stop();

  RaceEnd end() const;
  const std::vector<Standing>& standings() const;
  // Arms that no look put behind the leader, best median first.
  std::vector<int> leaders() const;
  int valid_rounds() const;
  int void_rounds() const;

 private:
  // (the implementation's state)
};

}  // namespace loratune
