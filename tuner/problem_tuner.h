// A ProblemTuner proves which candidate is the best for one problem, or for several problems that
// are to share one choice (its parts). It is told what became of preparing each candidate, asks for
// rounds of races among them, and then for finals between the winner and the default, each in a
// fresh worker: where buffers come to lie makes a kernel 10 % faster or slower, and differs from
// process to process, not from round to round. It knows no clock and no device. Its verdict follows
// from seed and replies alone, so that a journal of the replies is enough to resume or replay it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tuner/candidates.h"
#include "tuner/race.h"

namespace loratune {

// What became of preparing one candidate: building it, checking its result, and timing it a little.
// The two numbers are there where the outcome is correct or slow.
struct Prepared {
  Outcome outcome = Outcome::skipped;
  double probe_ns = 0;          // least time of a few runs; over parts, the geometric mean
  double error_over_bound = 0;  // worst error as a fraction of the stated bound
  std::string detail;           // why, where the outcome is none of correct or slow
  bool operator==(const Prepared&) const = default;
};

struct TunerRules {
  RaceRules race;   // heats and the deciding race
  RaceRules final;  // winner against default, fresh worker, with slopes
  int finals = 1;   // finals that the winner must win, each in a fresh worker
  // A candidate whose probe is beyond this multiple of the best has outcome `slow`, no race.
  double probe_limit = 1.25;
  // Only this many candidates beside the default are raced, the fastest by probe; the others have
  // outcome `slow` too.
  int most_racers = std::numeric_limits<int>::max();
};

// measured: each final proved the choice faster than the default by more than a tie. All other
// reasons leave the default: no_significant_gain, only_default (nothing to race it with), stopped,
// environment, default_failed.
struct Verdict {
  int choice = 0;  // index of the candidate; 0 is the default
  std::string reason;
  // Wall time of a run: slope where both have one, else median, else the default's probe; 0 where
  // nothing was timed. Where finals were run, the times are of the final that proved least.
  double time_ns = 0, default_ns = 0;
  // default's time / choice's time, paired. `level` and `rounds` are of the race that the times
  // come from; both 0 where there was none, `level` also where it was too short for an interval.
  double speedup = 1, speedup_low = 1, speedup_high = 1, level = 0;
  int rounds = 0;
  double error_over_bound = 0;
  bool operator==(const Verdict&) const = default;
};

class ProblemTuner {
 public:
  enum class Want : std::uint8_t { prepare, round, final_round, nothing };

  // Candidate 0 is the default. Throws std::invalid_argument without one.
  ProblemTuner(int candidates, std::uint64_t seed, TunerRules rules, int parts = 1);

  Want want() const;
  // Want::prepare: the candidates still to be prepared, in order.
  std::vector<int> to_prepare() const;
  // Want::round and final_round: the round, its arms translated to candidates. Throws
  // std::logic_error when no round is wanted.
  Round next() const;

  void report(int candidate, const Prepared& prepared);
  // The replies to next(), one a part; `failed` is a candidate too. Ignored when no round is
  // wanted.
  void report(std::span<const RoundReply> parts);
  void report(const RoundReply& reply) { report({&reply, 1}); }
  // Ends the search: of candidates not prepared the outcome is `skipped`; a race that runs is
  // decided by what it knows, and its winner still needs the final; a second stop() ends that too.
  void stop();

  // Of a part, valid once want() is nothing. The choice is the same on all; it was proved faster in
  // the geometric mean, and measured on no part as slower by more than a tie.
  Verdict verdict(int part = 0) const;
  // Finals that the winner has won so far. The next one wants a fresh worker.
  int finals_won() const;
  // Every candidate's outcome so far, and its median log ratio to the default in the heats (NaN if
  // not raced; 0 for a default that runs): what rules are made from.
  const std::vector<Prepared>& prepared() const;
  std::vector<double> log_ratios() const;

 private:
  enum class Stage : std::uint8_t { prepare, heats, deciding, final, done };

  bool usable(int candidate) const;
  void begin_heats();
  void start_race(Stage stage, std::vector<int> arms);
  void race_ended();
  void heat_ended();
  void decide_heats();
  void final_ended();
  void start_final(const std::vector<int>& leaders);
  void keep_standings();
  void finish(int choice, const std::string& reason);
  std::vector<int> by_ratio(std::vector<int> candidates) const;

  std::uint64_t seed_;
  TunerRules rules_;
  Stage stage_ = Stage::prepare;
  bool stopped_ = false;
  int races_ = 0;
  std::vector<Prepared> prepared_;
  std::vector<bool> reported_;
  std::vector<double> log_ratios_;
  std::vector<std::vector<int>> pending_heats_;
  std::vector<std::vector<int>> winners_;  // of each heat that put the default behind
  std::vector<int> tied_;                  // leaders of heats that left the default among them
  std::vector<int> arms_;                  // candidate of each arm of race_
  std::optional<Race> race_;
  int finals_won_ = 0;
  int parts_;
  double least_low_ = 0;               // least lower bound of the speed-up over the finals won
  std::vector<Verdict> least_proven_;  // by part, of the final with that lower bound
  std::vector<Verdict> verdicts_;      // by part
};

}  // namespace loratune
