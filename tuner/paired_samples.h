// PairedSamples holds the times that rounds gave of several arms, and compares two arms round by
// round. What disturbs a round disturbs all of its arms alike, so it cancels in the ratio of two
// times of one round, and the median of such ratios is what a race, a gate and a benchmark decide
// by. The samples do not know which rounds count: a caller adds those that nothing disturbed.
#pragma once

#include <span>
#include <vector>

#include "tuner/rounds.h"
#include "tuner/statistics.h"

namespace loratune {

// The coverage of an interval unless rules ask for another. At least 7 rounds reach it.
inline constexpr double kUsualLevel = 0.975;

class PairedSamples {
 public:
  explicit PairedSamples(int arms);

  // An arm's time in a round is the least of its blocks. It is missing where the round did not hold
  // the arm, or held no block of it with a time.
  void add(const Round& round, const RoundReply& reply);
  // The round was run on several problems: an arm's time is the geometric mean of its times on
  // them, and is missing where one of these is.
  void add(const Round& round, std::span<const RoundReply> replies);

  // The rounds that timed the arm, and its time in each.
  int rounds(int arm) const;
  std::vector<double> times_ns(int arm) const;
  // NaN without a time.
  double median_ns(int arm) const;
  // What one run more takes: 2 median(doubled block) - median(block), where both times are for one
  // run. What a block costs once cancels. 0 if not measured, or not positive.
  double slope_ns(int arm) const;

  // ln(t_arm / t_other) of each round that timed both.
  std::vector<double> log_ratios(int arm, int other) const;
  MedianInterval log_ratio(int arm, int other, double level = kUsualLevel) const;

 private:
  struct Sample {
    int round;              // counted from 1
    double ns, doubled_ns;  // NaN: missing
  };
  std::vector<double> times(int arm, double Sample::*time) const;

  std::vector<std::vector<Sample>> samples_;  // by arm, of the rounds that held it
  int rounds_ = 0;                            // added
};

}  // namespace loratune
