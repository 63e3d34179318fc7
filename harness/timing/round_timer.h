// Runs the blocks of a Round: the one place where arms are timed, in the worker process and in
// --bench alike.
#pragma once

#include <functional>

#include "harness/timing/measure.h"
#include "tuner/race.h"

namespace loratune {

// What can be timed. `run` enqueues or does one run, `finish` waits for all of them, `restore` puts
// back what runs change. `probe_ns`: about what a run takes.
struct TimedArm {
  std::function<void()> run, finish, restore;
  double probe_ns = 0;
  bool on_host = false;  // the calling thread does the work, and the device little or none
  bool warm = false;     // set by the first round
};

// Wall time of one run and finish, ns.
double time_run_ns(const TimedArm& arm);

// About what a run takes, with noise only upwards: the least of five single runs, or fewer where
// they are long, and of three blocks as long as a round's. A single run, waited for, may take three
// times what a run in a block takes.
double probe_ns(const TimedArm& arm);

// `arm` finds an arm by its number in the order. `at` always says which arm is running. The canary
// is of the host where the arms are: a device whose threads slept meanwhile would tell how soon
// they wake up, and not whether the host was disturbed. What a run throws passes through.
RoundReply time_round(const Round& round, const std::function<TimedArm&(int)>& arm, Probes& probes,
                      int& at);

}  // namespace loratune
