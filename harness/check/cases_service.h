// The service that a CaseProcess asks: it runs cases of the correctness matrix.
#pragma once

#include "harness/process/service.h"

namespace loratune {

inline constexpr const char* kCasesService = "cases";
Handler cases_service(WorkerShared& shared);

}  // namespace loratune
