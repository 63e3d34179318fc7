// Rules carry what was measured on a grid of problems to the shapes between its points. A rule is a
// box of shapes, the candidate to run in it, and a measured bound of what it may cost there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loratune/dispatch/tuned_file.h"
#include "tuner/candidates.h"

namespace loratune {

// The measurements of one problem: candidates[0] is its default, log_ratios are ln(t / t_default),
// parallel to the candidates, NaN where there is none (ProblemTuner::log_ratios()).
struct MeasuredProblem {
  Problem problem;
  std::vector<Candidate> candidates;
  std::vector<double> log_ratios;
};

struct RuleRange {
  Kind kind;
  Range rank, m, k, n;
  Candidate choice;
  double regret_bound = 0;  // time / best time - 1 at the worst measured corner, it being left out
  bool operator==(const RuleRange&) const = default;
};

struct RuleLimits {
  double regret = 0.05;  // no rule above this regret_bound
  double gain = 1.02;    // nor without a speed-up of this at every corner
};

// Rules out of a grid of problems (those without `align`), ordered by kind, rank, k, n and m; none
// overlap. A rule's ranks go up to the one that was measured, from above the grid's
// next lower one, but not from half of it or less: at that distance nothing was measured. In m, and
// in (k, n), a rule covers one grid value or the open gap between two neighbours; its corners are
// the grid problems at its ends, two at least, all of them measured. The choice is the candidate
// with the least worst regret over the corners, of those that were tried at all of them. Its bound
// is cross-validated: each corner in turn is left out of the choosing and judges what the others
// chose.
std::vector<RuleRange> make_rules(std::span<const MeasuredProblem> measured,
                                  const DeviceInfo& device, const RuleLimits& limits = {});

}  // namespace loratune
