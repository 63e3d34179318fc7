// A BenchSession measures problems for --bench: at a problem's first question it has all rivals of
// it timed in paired, interleaved rounds, and answers every later question from what was found.
// Whatever runs on the device runs in a process of its own; an arm that costs this process has
// failed, and the other arms are measured anew in a fresh one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/bench/bench_json.h"
#include "harness/bench/bench_options.h"
#include "harness/process/service_process.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

class BenchSession {
 public:
  // `selector` is the device as --device takes it, `device` what it is. `tuned` may be null, and
  // outlives the session. The process is `executable --worker`. Throws Failure (kExitDeviceFault)
  // where it cannot open the device; so does result().
  BenchSession(const std::string& selector, DeviceInfo device, BenchOptions options,
               const Dispatcher* tuned, std::string executable = "/proc/self/exe");

  // The names of list_rivals().
  std::vector<std::string> rivals(const Problem& problem) const;
  // Measures at the first call for a problem, in about `share_s` seconds. Of a problem that is too
  // large all rivals say so. Throws Interrupted.
  const ProblemResult& result(const Problem& problem, double share_s);
  const std::map<std::string, ProblemResult>& results() const { return results_; }
  const Ceilings& ceilings() const { return ceilings_; }

 private:
  ProblemResult measure(const Problem& problem, double share_s);
  ArmsReport measure_arms(ArmsOrder& order);
  ProblemResult all_rivals(const Problem& problem, Outcome outcome, const std::string& why) const;

  DeviceInfo device_;
  BenchOptions options_;
  const Dispatcher* tuned_;
  ServiceProcess service_;
  Ceilings ceilings_;
  std::map<std::string, ProblemResult> results_;
};

}  // namespace loratune
