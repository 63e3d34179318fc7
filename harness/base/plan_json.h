// LaunchPlans as JSON, to the bit: how a plan goes to the worker process.
#pragma once

#include <nlohmann/json.hpp>

#include "loratune/variants/launch_plan.h"

namespace loratune {

nlohmann::json to_json(const LaunchPlan& plan);
nlohmann::json to_json(const Packing& packing);

// Throws nlohmann::json::exception or std::invalid_argument for what is no plan. Plans carry
// kernel source: read them from trusted places only.
LaunchPlan plan_from_json(const nlohmann::json& json);
Packing packing_from_json(const nlohmann::json& json);

}  // namespace loratune
