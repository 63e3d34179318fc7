// How lora-bench ends: its exit codes, which of two counts, and the exception that carries one.
#pragma once

#include <stdexcept>
#include <string>

namespace loratune {

enum ExitCode : int {
  kExitGood = 0,
  kExitRegression = 1,
  kExitUsage = 2,  // or input that cannot be read, or output that cannot be written
  kExitInconclusive = 3,
  kExitWrongResult = 4,
  kExitDeviceFault = 5,
  kExitMissingCase = 6,
  kExitNoDevice = 77,
  kExitInterrupted = 130
};

// The code that counts where both apply. From the worst on: usage, device fault, wrong result,
// missing case, regression, inconclusive, good. A run that never began, for want of a device, or
// that was interrupted, has no other code beside it: these two come first.
ExitCode worse(ExitCode one, ExitCode other);

// Ends the program with one line on stderr and this code. The line is made printable, since it may
// quote a file, a key or the name of a device.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& line);
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Ends the program for input that it cannot do anything with.
[[noreturn]] inline void usage(const std::string& line) { throw Failure(kExitUsage, line); }

}  // namespace loratune
