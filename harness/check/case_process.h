// A CaseProcess runs cases of the correctness matrix in a process of its own. A case that ends this
// process, or never ends, has failed; the next case is run by a fresh process.
#pragma once

#include <string>

#include "harness/check/matrix.h"
#include "harness/process/service_process.h"

namespace loratune {

class CaseProcess {
 public:
  // `device` as --device takes it. A case may take `patience_s` seconds beyond what its work takes
  // on the slowest of devices. The process is `executable --worker`.
  CaseProcess(const std::string& device, double patience_s,
              std::string executable = "/proc/self/exe");

  // Every wait for the process throws Interrupted, and ends the process, once this says so.
  void interrupt_when(std::function<bool()> interrupted) {
    service_.interrupt_when(std::move(interrupted));
  }

  // What run_case() says, or outcome runtime or timeout with how the process ended. Throws Failure
  // (kExitDeviceFault) where no process can be made or it cannot open the device.
  CheckResult run(const MatrixCase& matrix_case);

  int generation() const { return service_.generation(); }  // processes started so far

 private:
  double patience_s_;
  ServiceProcess service_;
};

}  // namespace loratune
