// Processes that build programs side by side, before the worker asks for them: it then finds them
// in the driver's cache. Between the programs given to them they wait, so that nothing runs beside
// what is timed. They decide nothing: a program that one of them dies of, or that never ends, is
// the worker's to meet.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "harness/worker/worker.h"

namespace loratune {

struct Program {
  Problem problem;
  LaunchPlan plan;
};

// seconds: that one process spent on this program, whatever came of it.
struct BuiltAhead {
  Outcome outcome = Outcome::skipped;
  double seconds = 0;
};

// Seconds that it has cost and saved so far. With a driver that keeps no programs each is built
// twice: so much more than it saves it may cost, in all.
struct AheadLedger {
  double side_by_side = 0;  // building took,
  double found = 0;         // and then, of the same programs, the worker;
  double one_by_one = 0;    // each program in its process, together
  bool pays() const { return side_by_side + found <= one_by_one + 10; }
};

// Processes for each of so many sweeps at once on this machine: a core each, six at most, and none
// where there are fewer than two.
int usual_builders(int sweeps = 1);

class BuildAhead {
 public:
  // `device` as --device takes it; a negative number of processes means the usual. The processes,
  // `executable --worker`, are started when there is something to build; one that builds a program
  // for longer than `patience_s` is ended.
  BuildAhead(const std::string& device, int processes, double patience_s = 5,
             const std::string& executable = "/proc/self/exe");

  // Every wait for the processes throws Interrupted, and ends them, once this says so.
  void interrupt_when(const std::function<bool()>& interrupted);

  // Returns once all are built or given up. Where a process cannot open the device, nothing more is
  // built ahead.
  std::vector<BuiltAhead> build(std::span<const Program> programs);

 private:
  struct Helper {
    std::unique_ptr<Worker> worker;
    int program = -1;  // that it builds; -1: none
    double begun_s = 0;
  };
  Helper* next_to_reply();

  double patience_s_;
  std::vector<Helper> helpers_;
  std::function<bool()> interrupted_ = [] { return false; };
};

}  // namespace loratune
