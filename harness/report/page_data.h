// What a report's page shows, as data.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "harness/report/input.h"

namespace loratune {

// One document of all inputs: numbered devices and problems, the records and rules of tuned files
// and journals, the times of --bench, costs of parameters, progress of searches, cases of gates,
// and of each input what it is. A device that several inputs name is one device. A journal that
// this build cannot replay gives its progress alone, and its source says so.
nlohmann::json page_data(std::span<const Input> inputs);

}  // namespace loratune
