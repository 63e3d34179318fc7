// A WorkerProcess is one process at a time that serves requests, as its parent sees it: pipes, a
// page of shared memory, deadlines, and what became of it. It knows nothing of what is asked. What
// a kernel or a driver can spoil runs in such a process: one that never ends, or ends the process,
// costs one request.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/process/shared_page.h"
#include "harness/process/thread_times.h"

namespace loratune {

// What a request came to. Unless `ok`, the process is gone, and the next request starts a fresh
// one.
struct Exchange {
  // idle: the process died before it had begun with the request, so the request is not to blame.
  enum class Status : std::uint8_t { ok, crashed, timed_out, idle } status = Status::ok;
  nlohmann::json reply;
  std::string detail;  // of a loss
};

class WorkerProcess {
 public:
  // The process is `executable --worker`.
  explicit WorkerProcess(std::string executable);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Every receive() throws Interrupted, and ends the process, once this says so.
  void interrupt_when(std::function<bool()> interrupted) { interrupted_ = std::move(interrupted); }

  // Throws Failure (kExitDeviceFault) where no process can be made.
  void start();
  // Ends it; nothing where none runs.
  void end();
  // Whether it runs now.
  bool alive();
  pid_t pid() const { return pid_; }  // -1: none
  int reply_fd() const { return from_worker_; }
  // What it was at, by its own word, for as long as no next one is started.
  const WorkerShared& shared() const { return *shared_; }

  // Sends a request that may take `deadline_s` seconds until its reply or, where the process counts
  // its steps, until its next step. Time does not count in which this process or that one is
  // stopped or suspended, or no thread of that one runs and one waits for a processor.
  void send(const nlohmann::json& message, double deadline_s);
  Exchange receive();

 private:
  Exchange lost(Exchange::Status status, std::string detail);
  std::string how_it_ended();
  void begin_step();
  void look_again(double now);
  bool has_ended() const;

  std::string executable_;
  pid_t pid_ = -1;
  int to_worker_ = -1, from_worker_ = -1;
  WorkerShared* shared_ = nullptr;
  std::string pending_;                       // bytes read beyond the last line
  double allowed_s_ = 0, deadline_ = 0;       // of the step under way, and when that is over
  int steps_ = 0;                             // that the process had done when this step began
  double looked_ = 0;                         // when times_ were read
  std::map<std::string, ThreadTimes> times_;  // by thread, at the last look
  std::function<bool()> interrupted_ = [] { return false; };
};

}  // namespace loratune
