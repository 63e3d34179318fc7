// A case and its result as JSON: what --check and the process that runs its cases say to each
// other.
#pragma once

#include <nlohmann/json.hpp>

#include "harness/check/matrix.h"

namespace loratune {

nlohmann::json to_json(const MatrixCase& matrix_case);
nlohmann::json to_json(const CheckResult& result);

// Both throw nlohmann::json::exception or std::invalid_argument for what is no such thing.
MatrixCase matrix_case_from_json(const nlohmann::json& value);
CheckResult check_result_from_json(const nlohmann::json& value);

}  // namespace loratune
