// Timing on one device: blocks of runs between two looks at a steady clock, the launch floor, the
// canary that tells a disturbed round, and what to make of the device's own event clock.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/internal/opencl.h"
#include "loratune/engine/engine.h"

namespace loratune {

// Runs in a block for a run of `run_ns`: about 1 ms of them, 1 to 32.
int runs_of_a_millisecond(double run_ns);
// The same, but at least 8 where 8 take less than 8 ms: what the wait at the block's end costs is
// shared by all.
int block_runs(double run_ns);

// Starts `runs` runs and waits for all; wall time divided by runs, in ns.
double time_block_ns(int runs, const std::function<void()>& run,
                     const std::function<void()>& finish);
double time_block_ns(cl_command_queue queue, int runs, const std::function<void()>& enqueue);

// Ticks that other tenants of the machine took from this one, so far; 0 where the system does not
// tell.
std::uint64_t steal_ticks();

// The shortest length, doubled from 256, of which every one of eight looks took at least `ns`: one
// fast look proves a length too short, while a slow one may be the machine's doing. Throws
// std::runtime_error where 2^24 are still too short.
int spin_length(double ns, const std::function<double(int length)>& time_ns);

// Fixed kernels of ours, no variant: an empty one, whose time is the launch floor, and a spin of a
// known length that should always take the same. The host has such a spin too.
class Probes {
 public:
  // Builds both kernels and sets the length of each spin to 100 us or up to twice that. Throws
  // OpenclError, and std::runtime_error as spin_length does.
  explicit Probes(Engine& engine);
  void launch_empty();
  void finish();
  double launch_floor_ns();  // median of 20 blocks of 32 empty launches
  double canary_ns();        // one launch and wait, after another that is not timed
  double host_canary_ns() const;

 private:
  Handle<cl_command_queue> queue_;
  Handle<cl_kernel> empty_, spin_;
  Handle<cl_mem> sink_;
  std::size_t items_;
  int host_length_ = 0;  // of the spin on the host
};

// One profiled command, in ns of the device's clock.
struct EventTimes {
  std::uint64_t queued, submitted, start, end;
};

// Why the event clock cannot be believed for these commands of one in-order block, or nothing:
// QUEUED <= SUBMIT <= START < END, one command after the other, none of a few ns, and all of them
// within the block's wall time.
std::string event_clock_fault(const std::vector<EventTimes>& commands, double wall_ns);

// A run by the event clock: END of the last command - START of the first, median over `runs`; or
// the fault.
struct EventReading {
  double ns = 0;
  std::string fault;
};
EventReading read_events(
    Engine& engine, const std::function<void(cl_command_queue, std::vector<cl_event>*)>& enqueue,
    int runs);

}  // namespace loratune
