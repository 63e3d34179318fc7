// The service that a Worker asks: it builds, checks and times the arms of a problem.
#pragma once

#include "harness/process/service.h"

namespace loratune {

inline constexpr const char* kArmsService = "arms";
Handler arms_service(WorkerShared& shared);

}  // namespace loratune
