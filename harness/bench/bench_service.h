// The service that a BenchSession asks: it checks and times the arms of a problem.
#pragma once

#include "harness/process/service.h"

namespace loratune {

inline constexpr const char* kBenchService = "bench";
Handler bench_service(WorkerShared& shared);

}  // namespace loratune
