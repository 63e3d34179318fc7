// A ServiceProcess is a Service as its parent sees it: wherever no process serves, because none was
// started yet or the last one was lost, the next request is served by a fresh one.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/process/worker_process.h"
#include "loratune/dispatch/outcome.h"

namespace loratune {

class ServiceProcess {
 public:
  // `opening` is the request that opens the service. It may take `open_s` seconds, and its reply
  // has a member "device" where the service is open.
  ServiceProcess(std::string executable, nlohmann::json opening, double open_s);

  // Every wait for the process throws Interrupted, and ends the process, once this says so.
  void interrupt_when(std::function<bool()> interrupted) {
    process_.interrupt_when(std::move(interrupted));
  }

  // Starts a process and opens the service where no process runs. Throws Failure
  // (kExitDeviceFault) where no process can be made, it refuses to open the service, or three of
  // them in a row are lost while they do.
  void make_ready();

  // Sends a request to the process that make_ready() left, and waits for the reply.
  Exchange transact(const nlohmann::json& message, double deadline_s);

  // The same for a request that any process can serve: makes one ready, and asks the next one where
  // a process died before it had begun.
  Exchange ask(const nlohmann::json& message, double deadline_s);

  // The reply to `opening` of the process that runs, or ran last.
  const nlohmann::json& opened() const { return opened_; }
  int generation() const { return generation_; }  // processes started so far
  WorkerProcess& process() { return process_; }
  const WorkerProcess& process() const { return process_; }

 private:
  nlohmann::json opening_, opened_;
  double open_s_;
  WorkerProcess process_;
  int generation_ = 0;
};

// What an exchange that is not `ok` means for whatever was asked to run.
constexpr Outcome outcome_of_loss(Exchange::Status status) {
  return status == Exchange::Status::timed_out ? Outcome::timeout : Outcome::runtime;
}

// What it takes to open a device, and more.
inline constexpr double kServiceOpenSeconds = 60;

// To open a service, and at a request whose process was idle when it died.
inline constexpr int kServiceAttempts = 3;

}  // namespace loratune
