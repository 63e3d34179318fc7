// A ProblemTuner finds the best candidate for one problem: it asks for candidates to be prepared
// (built, checked, probed), then for rounds of races, then for a final between winner and default
// in a fresh worker. It is told outcomes and samples, and is a function of seed and replies only,
// so that a journal of the replies is enough to resume or replay it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tuner/race.h"
#include "tuner/search.h"

namespace loratune {

// What became of preparing one candidate. `probe_ns`: one launch after the discarded first. `error_over_bound`: worst error as a
// fraction of the stated bound. Both only where the outcome is correct (or slow).
struct Prepared {
  Outcome outcome = Outcome::skipped;
  double probe_ns = 0;
  double error_over_bound = 0;
  std::string detail;  // why, where the outcome is none of correct or slow
  bool operator==(const Prepared&) const = default;
};

struct TunerRules {
  RaceRules race;          // heats and the deciding race
  RaceRules final;         // winner against default, fresh worker, with slopes
  int heat_arms = 12;      // arms of a heat, anchor included
  double probe_limit = 1.5;  // slower than this multiple of the best probe: outcome `slow`, not raced
};

struct Verdict {
  int choice = 0;  // index of the candidate; 0, the default, unless another is proven faster
  std::string reason;  // measured, no_significant_gain, only_default, stopped, environment, default_failed
  double time_ns = 0, default_ns = 0;       // wall time of a run: slope where measured, else median
  double speedup = 1, speedup_low = 1, speedup_high = 1, level = 0;
  int rounds = 0;
  double error_over_bound = 0;
  bool operator==(const Verdict&) const = default;
};

class ProblemTuner {
 public:
  enum class Want : std::uint8_t { prepare, round, final_round, nothing };

  // candidates[0] is the default. `preferred` breaks ties: indices of candidates, best first (the incumbent of an earlier file, say).
  ProblemTuner(int candidates, std::uint64_t seed, TunerRules rules, std::vector<int> preferred = {});

  Want want() const;
  // Want::prepare: the candidates still to be prepared, in order.
  std::vector<int> to_prepare() const;
  // Want::round and final_round: the round, its arms translated to candidates.
  Round next() const;

  void report(int candidate, const Prepared& prepared);
  void report(const RoundReply& reply);
  // Ends the search: of candidates not prepared the outcome is `skipped`; a race that runs is decided by
  // what it knows, and its winner still needs the final; a second stop() ends that too.
  void stop();

  // Valid once want() is nothing.
  Verdict verdict() const;
  // Every candidate's outcome so far, and its median log ratio to the default in the heats (NaN if
  // not raced): what rules are made from.
  const std::vector<Prepared>& prepared() const;
  std::vector<double> log_ratios() const;
  // Candidates that the heats could not tell from the best, best first.
  std::vector<int> leaders() const;
};

}  // namespace loratune
