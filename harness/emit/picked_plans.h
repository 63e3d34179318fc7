// What --emit writes plans of: the dispatcher's picks, as far as a table in C can describe them.
#pragma once

#include <string>
#include <vector>

#include "harness/emit/c_table.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

// Whether the table has words for the problem.
bool has_words(const Problem& problem);

// One plan for each problem: of the pick or, where that is a function of ours, of the default.
// Throws Failure for a problem that no variant runs on the device.
std::vector<EmittedPlan> picked_plans(const std::vector<Problem>& problems,
                                      const Dispatcher& dispatcher, const DeviceInfo& device,
                                      Mode mode);

// `made_by` of such plans: this tool, and the device.
std::string made_for(const DeviceInfo& device);

}  // namespace loratune
