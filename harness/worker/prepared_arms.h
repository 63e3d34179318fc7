// PreparedArms are the arms that a Worker holds, kept whole over its deaths: whoever asks for a
// round finds every arm of it prepared, again where the process that had it is gone.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "harness/worker/worker.h"

namespace loratune {

class PreparedArms {
 public:
  // How an arm of the selected problem is prepared: by Worker::prepare() or prepare_pack().
  using Prepare = std::function<Prepared(Worker& worker, int arm)>;

  // `worker` outlives it.
  explicit PreparedArms(Worker& worker) : worker_(worker) {}

  // Selects a problem, as Worker::set_problem() does. With `keep` the arms of the problems before
  // it stay prepared.
  void select(const Problem& problem, std::uint64_t seed, Cache cache, bool keep, Prepare prepare);

  // Prepares an arm anew.
  Prepared prepare(int arm);

  // The same, and once more where it costs the process, since an innocent one may be killed by
  // others.
  Prepared prepare_or_retry(int arm);

  // The reply of the Worker. Where an arm cannot be prepared again, it has failed. An arm that
  // loses its process, during its blocks or while it is prepared again, is given a second chance:
  // the first such round is void, since an innocent process may be killed by others; the second is
  // the arm's failure.
  RoundReply run_round(const Round& round);

  // One more check of an arm after it was timed; where it costs the process, another one in a fresh
  // process.
  Prepared recheck(int arm);
  EventReading read_events(int arm);

  Worker& worker() { return worker_; }

 private:
  // The round that the arm could not finish: void, or the arm's failure.
  RoundReply blame(int arm, Outcome outcome);
  // Correct, or why the arm cannot be prepared again.
  Outcome ensure(int arm);

  Worker& worker_;
  Prepare prepare_;
  std::string problem_;                                // that is selected
  int generation_ = -1;                                // of the process that holds here_
  std::set<std::pair<std::string, int>> here_;         // problem and arm
  std::map<std::pair<std::string, int>, int> losses_;  // of processes, in the arm's rounds
};

}  // namespace loratune
