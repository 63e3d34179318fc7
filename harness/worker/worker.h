// The worker process does everything that a kernel or a driver can spoil: building, checking and
// timing. The parent holds it to deadlines and kills it when it passes one; a fault costs one
// config, not the sweep. Requests and replies are JSON, one a line, over pipes; the worker is this
// same executable.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/base/cache.h"
#include "harness/process/service_process.h"
#include "harness/timing/roofline.h"
#include "harness/worker/protocol.h"
#include "loratune/dispatch/outcome.h"
#include "loratune/variants/launch_plan.h"
#include "tuner/problem_tuner.h"

namespace loratune {

// Deadlines in seconds, and what else a worker is held to.
struct Deadlines {
  double open = 60;      // find the device, build the probes
  double problem = 120;  // data, oracle, buffers
  double build = 20;     // build one program, and its first launch, where drivers compile too
  double run_slack = 2;  // of any other request, on top of what it should take
  std::int64_t build_bytes = std::int64_t{4} << 30;  // of memory, more than before, while building
  int configs = 300;  // prepared in one process; then a fresh one, as drivers leak
};

// The parent's side.
class Worker {
 public:
  // `device` as --device takes it. The process, `executable --worker`, is started by the first
  // request. Throws Failure where no process can be made or it cannot open the device. One that
  // does not time builds only.
  explicit Worker(std::string device, Deadlines deadlines = {},
                  std::string executable = "/proc/self/exe", bool times = true);

  // Every wait for the process throws Interrupted, and ends the process, once this says so.
  void interrupt_when(std::function<bool()> interrupted) {
    service_.interrupt_when(std::move(interrupted));
  }

  // Selects the problem for the requests after it: fresh data, no executables. With `keep` the data
  // and executables of earlier problems stay, for when one of them is selected again with `keep`.
  // A restart keeps the selection only.
  void set_problem(const Problem& problem, std::uint64_t seed, Cache cache = Cache::warm,
                   bool keep = false);

  // Builds the plan's program and runs it once, discarded, so that compilers that wait for the
  // first launch are done.
  Prepared build(const Problem& problem, const LaunchPlan& plan);

  // The same in two parts, for several workers at once. Between them there is something to read on
  // reply_fd() where the build has ended, or the process; end_build() waits for it, up to the
  // deadline.
  void begin_build(const Problem& problem, const LaunchPlan& plan);
  Prepared end_build();
  int reply_fd() const { return service_.process().reply_fd(); }

  // Builds (or finds), checks and probes the plan as arm `id` of the current problem. `anchor_ns`:
  // what the default's probe took, 0 if unknown: a run may take 5 of them + 50 ms.
  Prepared prepare(int id, const LaunchPlan& plan, double anchor_ns);

  // Arm `id` is the packing of the problem's weights into these layouts, on the host and to the
  // device.
  Prepared prepare_pack(int id, const Packing& a, const Packing& b);

  // Runs the blocks of a round; its order names ids given to prepare(). Where the process is lost
  // during an arm's blocks, that arm has failed; where it was lost before any ran, the round is
  // void.
  RoundReply run_round(const Round& round);

  // One more check of arm `id`, after it was timed.
  Prepared recheck(int id);

  // Arm `id` by the event clock, or why that clock is not believed.
  EventReading read_events(int id);

  // What the device can do at most; measured anew. Nothing where that fails.
  std::optional<Ceilings> ceilings();

  // What an empty kernel takes, pipelined; 0 before the first request.
  double launch_floor_ns() const { return floor_ns_; }

  // Ends the process; the next request starts a fresh one.
  void restart() { service_.process().end(); }
  int generation() const { return service_.generation(); }
  // Whether a process runs now.
  bool alive() { return service_.process().alive(); }
  // The process to kill in tests; -1 where none runs.
  pid_t pid() const { return service_.process().pid(); }

 private:
  Exchange request(const nlohmann::json& message, double deadline_s);
  Prepared request_prepared(const nlohmann::json& message, double deadline_s);
  Prepared built_from(const Exchange& exchange);
  void make_ready();
  Exchange reselect();
  void after_fault(const Prepared& prepared);
  std::vector<double>& probes();  // of the problem selected
  void keep_probe(int id, const Prepared& prepared);

  Deadlines deadlines_;
  ServiceProcess service_;
  std::string building_;  // the program of begin_build()
  nlohmann::json problem_;
  double tensor_s_ = 0;  // what the host may take to fill, send, read and compare x and y once
  std::map<std::string, std::vector<double>> probe_ns_;  // by problem and arm
  double floor_ns_ = 0;
  // The number of the process that was last found ready.
  int known_generation_ = 0;
  bool problem_sent_ = false;
  int configs_ = 0;  // prepared
  std::set<std::string> built_;
};

}  // namespace loratune
