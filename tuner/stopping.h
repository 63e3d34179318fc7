// When measuring is enough. Each rule is a plain value that is asked "more?", is told counts and
// seconds, and knows neither clock nor device: what a race, a gate, a search and a benchmark stop
// by stands here, side by side, and a test can ask it anything.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace loratune {

// The numbers of valid rounds after which intervals are read; the last one ends the measuring.
// Between looks nothing is decided: whoever reads an interval after every round, and stops when it
// pleases, is wrong far more often than the interval's level says.
struct Looks {
  std::vector<int> rounds;  // rising

  // Whether there is a look, and no look comes after fewer rounds than the look before it.
  bool valid() const;
  int first() const { return rounds.front(); }
  int last() const { return rounds.back(); }
  bool reads_after(int valid_rounds) const;
  bool ends_after(int valid_rounds) const { return valid_rounds >= last(); }
  bool operator==(const Looks&) const = default;

  // A heat among many arms: 10 rounds tell most of them apart, and what remains is worth 80.
  static Looks of_a_heat() { return {{10, 20, 40, 80}}; }
  // A final, whose interval is written to the tuned file.
  static Looks of_a_final() { return {{20, 40, 80}}; }
  // A gate's trial of base and candidate.
  static Looks of_a_gate() { return {{20, 40, 80}}; }
  // A sentinel of the gate: two equal arms, whose interval must become narrow.
  static Looks of_a_sentinel() { return {{20, 40, 80, 160, 320}}; }
  // A record of a tuned file against the default, in a few seconds.
  static Looks of_a_verification() { return {{10, 20, 40}}; }
  // The same where one run of the record was already several times slower than the default's: the
  // fewest rounds that have an interval are then proof enough.
  static Looks of_a_verification_far_behind() { return {{7, 10, 20, 40}}; }
};

// Counts rounds to tell a machine that is too disturbed to measure on: more than half of the rounds
// are void. A few void rounds at the beginning do not say so yet.
struct VoidRounds {
  static constexpr int kFewest = 12;  // rounds before the machine may be blamed

  int counted = 0, disturbed = 0;

  void add(bool void_round);
  bool too_many() const { return counted >= kFewest && 2 * disturbed > counted; }
};

// After so many valid rounds an arm that is far behind is let go. They are too few for an interval,
// but noise that makes the best of three rounds look far behind is rare.
inline constexpr int kRoundsToSeeFar = 3;

// How many rounds are tried for the `wanted` ones.
struct RoundQuota {
  int wanted = 20;
  int tries = 3;   // rounds tried for each that is wanted, void ones included
  int fewest = 7;  // rounds that are worth being late for: fewer have no interval

  // Whether another round is to be tried, after `tried` rounds of which `valid` were valid.
  bool wants_more(int valid, int tried) const;
  // The same with a share of time. Once it is used up, `fewest` rounds are enough; after three
  // times the share and a second, a single one is. Without a valid round the tries alone count.
  bool wants_more(int valid, int tried, double elapsed_s, double share_s) const;
};

// When a search stops to try configs. All numbers of configs are without the default.
struct SearchStop {
  std::size_t at_least = 4;    // configs tried however late it is
  std::size_t enough = 30;     // configs known before the model's expectation is believed
  double worth_trying = 0.01;  // expected gain, in ln time, for which one more config is built

  // Whether another config may be tried after `tried` ones; `late`: the search's time is up.
  bool may_try(std::size_t tried, bool late) const;
  // Whether the search knows enough to expect nothing more. `expected_gain` costs a fit of the
  // model, and is asked only when its answer counts.
  bool satisfied(std::size_t tried, const std::function<double()>& expected_gain) const;
};

}  // namespace loratune
