#include "harness/base/failure.h"

#include <algorithm>
#include <array>

namespace loratune {

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
