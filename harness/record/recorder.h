// A Recorder times every config of a problem as well as it can: all in a few rounds beside the
// default, the better ones in more.
#pragma once

#include <optional>
#include <vector>

#include "harness/record/recording.h"
#include "harness/sweep/conversation.h"
#include "harness/sweep/programs.h"
#include "harness/worker/prepared_arms.h"
#include "tuner/paired_samples.h"

namespace loratune {

class Recorder {
 public:
  // What is given outlives it.
  Recorder(Worker& worker, BuildAhead& ahead, const DeviceInfo& device, std::uint64_t seed,
           Cache cache);

  // The default of the problem, or what it gives way to. Throws Failure (kExitDeviceFault) where
  // none builds.
  Candidate anchor(const Problem& problem);

  // What became of each candidate, in their order; candidates[0] is the default. Their `variant` is
  // left 0. Throws Failure (kExitDeviceFault) where the default fails.
  std::vector<RecordedConfig> record(const Problem& problem,
                                     const std::vector<Candidate>& candidates);

 private:
  // How many of the best configs are timed in so many more rounds, the default always among them.
  struct Stage {
    double share;
    int rounds;
  };
  void begin(const Problem& problem, const std::vector<Candidate>& candidates);
  Prepared prepare(int arm);
  double standing(int arm) const;
  void run(const Stage& stage);
  bool one_round(std::vector<int>& arms, CanaryWatch& watch);

  const DeviceInfo& device_;
  std::uint64_t seed_;
  Cache cache_;
  Conversation conversation_;  // without a journal
  Programs programs_;
  PreparedArms arms_;

  // Of the problem that is recorded, by arm, which is a candidate's number.
  Problem problem_;
  std::vector<Candidate> candidates_;
  std::vector<Outcome> outcomes_;
  std::vector<double> probes_;  // ns; 0: none
  PairedSamples samples_{0};
  int rounds_ = 0;
};

}  // namespace loratune
