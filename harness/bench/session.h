// A BenchSession measures problems for --bench: at a problem's first question it times all rivals
// of it in paired, interleaved rounds, and answers every later question from what it found.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/bench_options.h"
#include "harness/bench/judge.h"
#include "harness/bench/problem_result.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

class BenchSession {
 public:
  // Throws OpenclError. `tuned` may be null, and outlives the session.
  BenchSession(const Device& device, BenchOptions options, const Dispatcher* tuned);

  // The names of list_rivals().
  std::vector<std::string> rivals(const Problem& problem) const;
  // Measures at the first call for a problem, in about `share_s` seconds. Of a problem that is too
  // large all rivals say so.
  const ProblemResult& result(const Problem& problem, double share_s);
  const std::map<std::string, ProblemResult>& results() const { return results_; }
  const Ceilings& ceilings() const { return judge_.ceilings(); }

 private:
  ProblemResult measure(const Problem& problem, double share_s);
  ProblemResult measure_if_it_fits(const Problem& problem, double share_s);

  BenchOptions options_;
  const Dispatcher* tuned_;
  Engine engine_;
  Probes probes_;
  Judge judge_;
  std::map<std::string, ProblemResult> results_;
};

}  // namespace loratune
