// A gate decides whether a candidate is slower than its base. A PairedTrial times both side by side
// in rounds and reads their interval at a few looks; a trial that suspects a slow-down is confirmed
// by a second one in a fresh worker. A trial knows no device and no clock: its end follows from
// seed and replies alone, so that a recorded gate can be replayed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/paired_samples.h"
#include "tuner/rounds.h"
#include "tuner/stopping.h"

namespace loratune {

inline constexpr int kBaseArm = 0;
inline constexpr int kCandidateArm = 1;

// A case should be watched until it would be seen to be slower by this much.
inline constexpr double kToBeSeen = 1.05;

struct GateRules {
  int sub_blocks = 4;  // blocks of an arm in a round; its time is their minimum
  Looks looks = Looks::of_a_gate();
  Looks sentinel_looks = Looks::of_a_sentinel();
  // Times of a few microseconds scatter widely, and their rounds cost little: a trial of a case
  // that is shorter than this goes on after its last look, until kToBeSeen can be seen.
  double short_ns = 30e3;
  Looks short_looks = Looks::of_a_sentinel();
  double level = 0.99;        // least coverage of an interval
  double worse = 1.02;        // slower by more than this, with confidence: suspect
  double good = 1.03;         // slower by less than this, with confidence: pass
  double sentinel = 1.02;     // where a sentinel's interval must come to lie within
  double canary_limit = 2.0;  // a round is void above this multiple of the canary's 10th percentile
  int shorten = 4;            // what blocks are divided by when over half of the rounds are void
  int patience = 120;         // rounds of such blocks before the machine is called too disturbed
  int distinct = 6;           // fewer different times of an arm than this: the clock stands still
  bool operator==(const GateRules&) const = default;
};

// Throws std::invalid_argument for rules that no gate can run by.
void validate(const GateRules& rules);

enum class TrialEnd : std::uint8_t {
  running,
  suspect,       // slower than the base by more than `worse`
  improved,      // faster by more than `worse`
  pass,          // slower by less than `good`, if at all; before the last look also not faster by
                 // more, so that arms swapped end at the same look
  inconclusive,  // none of these at the last look
  environment,   // over half of the rounds were void, with `patience` rounds of short blocks too
  clock,         // over half of the times were no times, or the clock stands still
  failed         // an arm could not go on
};
std::string_view to_string(TrialEnd end);

// Two arms that should differ in nothing but the plan, over rounds of one worker. A round counts if
// it was undisturbed and every time in it is positive and finite.
class PairedTrial {
 public:
  // A sentinel passes when its interval lies within `sentinel` on both sides, and is inconclusive
  // at the last look otherwise.
  PairedTrial(std::uint64_t seed, GateRules rules, bool sentinel = false);

  std::optional<Round> next() const;
  // What the usual number of runs of a block is to be divided by.
  int shorten() const { return shorten_; }
  // The reply to next(); ignored once the trial has ended.
  void report(const RoundReply& reply);

  TrialEnd end() const { return end_; }
  // ln(t_candidate / t_base) of each valid round.
  std::vector<double> log_ratios() const { return samples_.log_ratios(kCandidateArm, kBaseArm); }
  MedianInterval interval() const;
  // detectable_effect() of this trial, at its last look.
  double detectable() const;
  double base_ns() const;  // medians over the valid rounds; NaN without one
  double candidate_ns() const;
  int void_rounds() const { return rounds_ - samples_.rounds(kBaseArm); }
  Outcome failure() const { return failure_; }

 private:
  void void_round(bool bad_clock);
  void look();
  const Looks& looks() const;
  // Whether the look after `valid_rounds` is the last.
  bool ends_after(int valid_rounds) const;

  std::uint64_t seed_;
  GateRules rules_;
  bool sentinel_;
  bool short_ = false;  // decided at the first look
  TrialEnd end_ = TrialEnd::running;
  int rounds_ = 0;  // replies
  int shorten_ = 1;
  VoidRounds voids_;  // since blocks have this length
  int bad_clock_ = 0;
  Outcome failure_ = Outcome::correct;
  CanaryWatch watch_;
  PairedSamples samples_{2};
};

// The smallest true slow-down, as a fraction, that both trials of a gate would together call a
// regression with a probability of 95 %, going by the spread of these log ratios: the threshold,
// and for the median at the last look its interval's half width (99 %: 2.58 standard errors) and
// 1.96 standard errors, so that each trial finds it with 97.5 %. Not below `good`, since what is
// slower by less may pass at an early look. Infinite for fewer than 6 values.
double detectable_effect(std::span<const double> log_ratios, const GateRules& rules);

// Worst first: the order in which cases are reported.
enum class CaseVerdict : std::uint8_t {
  wrong,          // the candidate's kernel is incorrect
  fault,          // the candidate does not build or run, or the worker was lost
  missing,        // a case of the base that the candidate has not
  regressed,      // slower in two trials
  environment,    // too much was disturbed to tell
  flaky_suspect,  // slower in the first trial only
  inconclusive,
  improved,
  pass,
  base_unusable,  // of the base's kernel there is no time; the candidate's is correct
  skipped,        // the device refuses both sides alike
  added,          // a case of the candidate that the base has not
  unchanged       // equal plans, not timed
};
std::string_view to_string(CaseVerdict verdict);

// Of a case whose kernels ran: from the first trial's end, and the second's where there was one. A
// trial that was disturbed does not count where another follows it. Nothing while another trial is
// wanted.
std::optional<CaseVerdict> judge_trials(std::span<const TrialEnd> trials);

}  // namespace loratune
