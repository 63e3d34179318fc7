// What paired rounds of several arms gave, and how Google Benchmark is made to replay it. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "tuner/rounds.h"
#include "tuner/statistics.h"

namespace loratune {

class PairedSamples {
 public:
  explicit PairedSamples(int arms);

  // A round that nothing disturbed: the least time of each arm's blocks. An arm that was not in it
  // has no time in it.
  void add(const Round& round, const RoundReply& reply);

  int rounds(int arm) const;
  std::vector<double> times_ns(int arm) const;
  double median_ns(int arm) const;  // of wall; NaN without a round
  // What one run more takes: 2 median(doubled block) - median(block); 0 if not measured.
  double slope_ns(int arm) const;
  // Of ln(t_arm / t_other) over the rounds that timed both.
  MedianInterval log_ratio(int arm, int other) const;

 private:
  std::vector<std::vector<double>> ns_, doubled_ns_;  // [arm][round]; NaN: not timed in it
};

// Gives recorded times one by one, again from the first when all were given.
class Replay {
 public:
  // Throws std::invalid_argument without a time.
  explicit Replay(std::vector<double> times_ns);
  double next_seconds();

 private:
  std::vector<double> times_ns_;
  std::size_t next_ = 0;
};

// How a problem's rounds are cut so that `wanted` of them take no longer than `share_ns`, if that
// can be: first without doubled blocks, then with two blocks an arm instead of four.
struct RoundShape {
  int sub_blocks = 4;
  bool doubled = true;
  bool operator==(const RoundShape&) const = default;
};
// `block_ns`: what each arm's block takes.
RoundShape shape_rounds(const std::vector<double>& block_ns, double share_ns, int wanted);

}  // namespace loratune
