// The sweep: for each group of families that share programs, search, race, and confirm in a fresh
// worker. A search builds, checks and probes a few configs at a time, and what they took decides
// which are next. What is tried and what is decided are functions of the options, the device and
// the journal's replies.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/sweep/journal.h"
#include "harness/sweep/plan.h"
#include "harness/worker/build_ahead.h"
#include "harness/worker/quarantine.h"
#include "harness/worker/worker.h"
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

// As a journal holds it.
nlohmann::json to_json(const Prepared& prepared);
Prepared prepared_from(const nlohmann::json& reply);

class Sweep {
 public:
  // `worker` and `ahead` may be null where the journal only replays. `interrupted` is looked at
  // between requests.
  Sweep(const SweepOptions& options, std::vector<Group> groups, const DeviceInfo& device,
        Journal& journal, Worker* worker, BuildAhead* ahead, std::function<bool()> interrupted,
        std::function<void(const SweepProgress&)> progress);

  // Goes through all groups; leaves early, with what is decided, when interrupted or when a replay
  // ends. False then.
  bool run();
  const std::vector<Decided>& decided() const { return decided_; }
  const Quarantine& quarantine() const { return quarantine_; }

 private:
  struct Interrupted {};
  struct Running {
    FamilyPlan plan;
    double space = 0;               // points that were to choose from
    std::vector<double> anchor_ns;  // the default's probe, by problem
    std::optional<ProblemTuner> tuner;
  };

  nlohmann::json ask(const std::string& tag, const std::function<nlohmann::json()>& live);
  void run_group(const Group& group, double share_s);
  Running tune(const FamilyPlan& plan, double until_s);
  Prepared build(const Problem& problem, const Candidate& candidate, double until_s, bool& late);
  Prepared build(const Family& family, const Candidate& candidate, double until_s, bool& late);
  void build_ahead(const FamilyPlan& plan, std::size_t first);
  std::vector<double> prices(std::span<const SpacePoint> space,
                             std::span<const std::size_t> programs, const Problem& problem) const;
  Prepared settle_anchor(FamilyPlan& plan, double until_s, bool& late);
  std::vector<Prepared> search(Running& running, double until_s);
  Prepared attempt(Running& running, int candidate, double until_s, bool& late);
  Prepared attempt(const Running& running, std::size_t part, int candidate, double until_s,
                   bool& late);
  bool confirm(Running& running);
  void run_rounds(Running& running, ProblemTuner::Want while_wanting, double until_s);
  Prepared live_prepare(const Running& running, std::size_t part, int candidate);
  Outcome ensure_prepared(const Running& running, std::size_t part, int candidate);
  RoundReply live_round(const Running& running, std::size_t part, const Round& round);
  bool recheck(const Running& running, std::size_t part, Decided& decided);
  void select(const Family& family, std::size_t part);
  std::uint64_t seed_of(const std::string& key) const;

  SweepOptions options_;
  std::vector<Group> groups_;
  DeviceInfo device_;
  Journal& journal_;
  Worker* worker_;
  BuildAhead* ahead_;
  std::function<bool()> interrupted_;
  std::function<void(const SweepProgress&)> progress_;
  std::vector<Decided> decided_;
  Quarantine quarantine_;
  std::map<std::string, Prepared> built_;  // by program
  std::vector<Candidate> built_from_;      // a config of each
  std::set<std::string> built_ahead_;      // programs that the worker should find built
  AheadLedger ledger_;
  double build_s_ = 0, attempt_s_ = 0;  // spent so far on so many builds and attempts
  int builds_ = 0, attempts_ = 0;
  std::vector<Known> known_;  // what was best, problem by problem
  std::size_t problems_ = 0;
  std::string doing_;
  Family selected_;       // what the worker has
  int prepared_in_ = -1;  // the worker's generation that holds prepared_here_
  std::set<std::pair<std::size_t, int>> prepared_here_;  // problem of the family, and candidate
};

}  // namespace loratune
