// A Judge says what the times of an arm come to, beside what the device does at most. It knows the
// device's ceilings, and measures them again where a time contradicts them.
#pragma once

#include "harness/bench/arm.h"
#include "harness/bench/problem_result.h"
#include "harness/timing/ceilings.h"

namespace loratune {

class Judge {
 public:
  // Measures the ceilings. Throws OpenclError. `engine` and `probes` outlive the judge.
  Judge(Engine& engine, Probes& probes);

  const Ceilings& ceilings() const { return ceilings_; }

  // Fills in a rival's result from its arm and the arm's times, which stand under `number` in
  // `samples`. A time that no device could reach makes the result skipped.
  void judge(const Problem& problem, BenchArm& arm, int number, const PairedSamples& samples,
             RivalResult& rival);

 private:
  Throughput believed_throughput(const Problem& problem, const BenchArm& arm, double wall_ns);

  Engine& engine_;
  Probes& probes_;
  Ceilings ceilings_;
  int asks_left_ = 3;  // how often the ceilings may be measured again
};

}  // namespace loratune
