// A BenchSession measures problems for --bench: at a problem's first question it times all rivals
// of it in paired, interleaved rounds, and answers every later question from what it found.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/bench/arm.h"
#include "harness/timing/ceilings.h"
#include "loratune/dispatch/dispatcher.h"
#include "tuner/paired_samples.h"

namespace loratune {

struct BenchOptions {
  std::vector<const Variant*> variants;  // whose defaults are rivals too
  Mode mode = Mode::fast;
  Cache cache = Cache::warm;
  std::uint64_t seed = 1;
  int rounds = 20;  // wanted; fewer where a problem's share of the time is too short
};

// One rival on one problem. `outcome` correct: it was right and has `times_ns`; skipped: all rounds
// were disturbed; else what went wrong is in `detail`.
struct RivalResult {
  Outcome outcome = Outcome::skipped;
  std::string detail, label, event_fault;
  int launches = 0;
  double error_over_bound = 0;
  std::vector<double> times_ns;                    // of each undisturbed round
  double wall_ns = 0, slope_ns = 0, event_ns = 0;  // 0: not measured, or not believed
  Throughput throughput;
};

struct ProblemResult {
  std::map<std::string, RivalResult> rivals;
  std::map<std::string, int> arm;  // of PairedSamples; rivals of the same plan share one
  PairedSamples samples{0};
  int void_rounds = 0;

  // Of t_rival / t_other, paired by round; nothing where one of them has no times.
  std::optional<MedianInterval> log_ratio(const std::string& rival, const std::string& other) const;
};

class BenchSession {
 public:
  // Throws cl::Error.
  BenchSession(const Device& device, BenchOptions options, const Dispatcher* tuned);

  // In the order in which they are shown. A variant that repeats so much of the work that a run
  // takes seconds is left out, and so is what this build does not have.
  std::vector<std::string> rivals(const Problem& problem) const;
  // Measures at the first call for a problem, in about `share_s` seconds.
  const ProblemResult& result(const Problem& problem, double share_s);
  const std::map<std::string, ProblemResult>& results() const { return results_; }
  const Ceilings& ceilings() const { return ceilings_; }

 private:
  struct Entry {
    std::string name;
    std::optional<Choice> choice;  // nothing: another library, or an empty launch
  };
  std::vector<Entry> entries(const Problem& problem) const;
  void measure(const Problem& problem, double share_s, ProblemResult& result);
  void run_rounds(const Problem& problem, std::vector<BenchArm>& arms, double share_s,
                  ProblemResult& result);
  void finish(const Problem& problem, BenchArm& arm, int number, RivalResult& rival,
              const PairedSamples& samples);

  BenchOptions options_;
  const Dispatcher* tuned_;
  Engine engine_;
  Probes probes_;
  Ceilings ceilings_;
  int asks_left_ = 3;  // for the ceilings again, where a time contradicts them
  std::map<std::string, ProblemResult> results_;
};

}  // namespace loratune
