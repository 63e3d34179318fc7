// Results of gates that are made up: each round of a trial has the same ratio.
#pragma once

#include <string>
#include <vector>

#include "harness/gate/result.h"

namespace loratune {

// A trial that ended by itself, in whose every round the candidate takes `ratio` times as long.
inline TrialRecord trial_at(double ratio, std::uint64_t seed, const GateRules& rules,
                            bool sentinel) {
  TrialRecord record;
  record.seed = seed;
  record.runs = 8;
  PairedTrial trial(seed, rules, sentinel);
  while (const auto round = trial.next()) {
    RoundReply reply;
    for (const int arm : round->order) {
      const double base = 100000 + round->index;
      reply.ns.push_back(arm == kCandidateArm ? base * ratio : base);
    }
    trial.report(reply);
    record.replies.push_back(reply);
  }
  return record;
}

// A case whose kernels are correct, with a trial for each ratio.
inline GateCase timed_case(const std::string& name, const std::vector<double>& ratios,
                           const GateRules& rules = {}, bool sentinel = false) {
  GateCase one;
  one.name = name;
  one.base.outcome = one.candidate.outcome = Outcome::correct;
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    one.trials.push_back(trial_at(ratios[i], i + 1, rules, sentinel));
  }
  return one;
}

}  // namespace loratune
