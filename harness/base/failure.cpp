#include "harness/base/failure.h"

#include <algorithm>
#include <array>

#include "dispatch/internal/printable.h"

namespace loratune {

Failure::Failure(ExitCode code, const std::string& line)
    : std::runtime_error(printable_line(line)), code_(code) {}

ExitCode worse(ExitCode one, ExitCode other) {
  constexpr auto kWorstFirst = std::to_array({kExitInterrupted, kExitNoDevice, kExitUsage,
                                              kExitDeviceFault, kExitWrongResult, kExitMissingCase,
                                              kExitRegression, kExitInconclusive, kExitGood});
  const auto place = [&](ExitCode code) {
    return std::find(kWorstFirst.begin(), kWorstFirst.end(), code);
  };
  return place(one) <= place(other) ? one : other;
}

}  // namespace loratune
