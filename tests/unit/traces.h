// Recorded A/A rounds, resampled into as many trials as a test wants, with what it plants.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "harness/gate/result.h"
#include "tuner/gate.h"
#include "tuner/random.h"

namespace loratune {

// Of each round the four blocks of base, candidate and canary, in the order in which each ran.
struct Trace {
  struct Recorded {
    std::array<std::vector<double>, 3> blocks;
    bool stolen = false;
  };
  std::string name;
  std::vector<Recorded> rounds;
  std::vector<double> log_ratios;  // of its valid rounds
};

inline std::vector<Trace> traces_of(const std::string& path) {
  const GateResult result = read_gate_result(path);
  std::vector<Trace> traces;
  for (const GateCase& one : result.cases) {
    for (const TrialRecord& record : one.trials) {
      Trace trace;
      trace.name = path.substr(path.rfind('/') + 1) + ":" + one.name;
      PairedTrial trial(record.seed, result.rules);
      for (const RoundReply& reply : record.replies) {
        const Round round = trial.next().value();
        trial.report(reply);
        Trace::Recorded recorded;
        recorded.stolen = reply.stolen;
        for (std::size_t i = 0; i < reply.ns.size(); ++i) {
          const auto arm = static_cast<std::size_t>(round.order[i] == kCanary ? 2 : round.order[i]);
          recorded.blocks[arm].push_back(reply.ns[i]);
        }
        trace.rounds.push_back(std::move(recorded));
      }
      trace.log_ratios = trial.log_ratios();
      traces.push_back(std::move(trace));
    }
  }
  return traces;
}

struct Planted {
  double effect = 1;         // the candidate's times are multiplied by this
  double drift = 0;          // all times of round i by exp(drift * i / 80)
  double spikes = 0;         // share of the candidate's blocks that take three times as long
  bool swapped = false;      // candidate and base change places
  double candidate_lie = 1;  // what the clock says in place of the candidate's time, if not 1
};

// Runs of 10 rounds stay together, since what disturbs one round often disturbs the next.
class TraceMachine {
 public:
  TraceMachine(const Trace& trace, std::uint64_t seed, Planted planted)
      : trace_(trace), random_(seed), planted_(planted) {}

  RoundReply run(const Round& round) {
    constexpr int kTogether = 10;
    if (left_ == 0) {
      at_ = random_.below(trace_.rounds.size());
      left_ = kTogether;
    }
    --left_;
    const Trace::Recorded& recorded = trace_.rounds[at_++ % trace_.rounds.size()];
    const double common = std::exp(planted_.drift * round.index / 80);
    RoundReply reply;
    reply.stolen = recorded.stolen;
    std::array<std::size_t, 3> used{};
    for (const int arm : round.order) {
      const int told = arm != kCanary && planted_.swapped ? 1 - arm : arm;
      const auto place = static_cast<std::size_t>(told == kCanary ? 2 : told);
      double ns = recorded.blocks[place][used[place]++] * common;
      if (told == kCandidateArm) {
        ns *= planted_.effect;
        if (random_.below(1000) < static_cast<std::uint64_t>(1000 * planted_.spikes)) ns *= 3;
        if (planted_.candidate_lie != 1) ns = planted_.candidate_lie;
      }
      reply.ns.push_back(ns);
    }
    return reply;
  }

 private:
  const Trace& trace_;
  Random random_;
  Planted planted_;
  std::uint64_t at_ = 0;
  int left_ = 0;
};

// A whole decision: a trial and, where it is wanted, its confirmation.
inline CaseVerdict decide(const Trace& trace, std::uint64_t seed, Planted planted,
                          const GateRules& rules = {}) {
  std::vector<TrialEnd> ends;
  for (std::uint64_t number = 0; !judge_trials(ends); ++number) {
    PairedTrial trial(mix_seed(seed, number), rules);
    TraceMachine machine(trace, mix_seed(seed, 100 + number), planted);
    while (const auto round = trial.next()) trial.report(machine.run(*round));
    ends.push_back(trial.end());
  }
  return *judge_trials(ends);
}

}  // namespace loratune
