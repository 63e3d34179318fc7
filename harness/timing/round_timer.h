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
  bool warm = false;  // set by the first round
};

// Wall time of one run and finish, ns.
double time_run_ns(const TimedArm& arm);

// About what a run takes, with noise only upwards: the least of five runs, fewer of long ones, and
// of three blocks of as many as a round's. One run alone, waited for, may take thrice what it takes
// among others.
double probe_ns(const TimedArm& arm);

// `arm` finds an arm by its number in the order. `at` says all along which arm is running. Lets
// through what a run throws.
RoundReply time_round(const Round& round, const std::function<TimedArm&(int)>& arm, Probes& probes,
                      int& at);

}  // namespace loratune
