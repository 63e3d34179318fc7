// The sweep: for each group of problems that share programs, build, check, race, and confirm in a
// fresh worker. What is tried is a function of the options and the device; what is decided is a
// function of that and of the journal's replies.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/journal.h"
#include "harness/quarantine.h"
#include "harness/sweep_plan.h"
#include "harness/worker.h"
#include "tuner/problem_tuner.h"

namespace loratune {

// A problem that has its verdict.
struct Decided {
  Problem problem;
  std::vector<Candidate> candidates;
  std::vector<Prepared> prepared;
  std::vector<double> log_ratios;
  Verdict verdict;
  double seen = 0;          // share of the space that was built, checked and timed
  double event_ns = 0;      // the choice by the event clock; 0 where that clock is not believed
  std::string event_fault;  // why not
};

struct SweepProgress {
  std::size_t decided, problems;
  double elapsed_s, left_s;
  std::string doing;
};

class Sweep {
 public:
  // `worker` may be null where the journal only replays. `interrupted` is looked at between
  // requests.
  Sweep(const SweepOptions& options, std::vector<Group> groups, const DeviceInfo& device,
        Journal& journal, Worker* worker, std::function<bool()> interrupted,
        std::function<void(const SweepProgress&)> progress);

  // Goes through all groups; leaves early, with what is decided, when interrupted or when a replay
  // ends. False then.
  bool run();
  const std::vector<Decided>& decided() const { return decided_; }
  const Quarantine& quarantine() const { return quarantine_; }

 private:
  struct Interrupted {};
  struct Running {
    const ProblemPlan* plan;
    ProblemTuner tuner;
  };

  nlohmann::json ask(const std::string& tag, const std::function<nlohmann::json()>& live);
  void run_group(Group group, double share_s);
  void settle_anchors(Group& group, std::vector<std::vector<Prepared>>& built);
  std::vector<std::vector<Prepared>> build_programs(const Group& group, double until_s);
  void tune(Running& running, const std::vector<Prepared>& built, double until_s);
  void confirm(Running& running);
  void run_rounds(Running& running, ProblemTuner::Want while_wanting, double until_s);
  Prepared live_prepare(const ProblemPlan& plan, int candidate, double anchor_ns);
  Outcome ensure_prepared(const Running& running, int candidate);
  RoundReply live_round(const Running& running, const Round& round);
  void select(const Problem& problem);
  std::uint64_t seed_of(const std::string& key) const;

  SweepOptions options_;
  std::vector<Group> groups_;
  DeviceInfo device_;
  Journal& journal_;
  Worker* worker_;
  std::function<bool()> interrupted_;
  std::function<void(const SweepProgress&)> progress_;
  std::vector<Decided> decided_;
  Quarantine quarantine_;
  std::size_t problems_ = 0;
  std::string doing_;
  Problem selected_;      // what the worker has
  int prepared_in_ = -1;  // the worker's generation that holds prepared_here_
  std::vector<int> prepared_here_;
};

}  // namespace loratune
