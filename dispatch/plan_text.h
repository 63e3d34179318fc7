// A choice as JSON that any executor can run, in any language: the kernel's source, how it is
// compiled, in what layout it wants A and B, and the launches with each argument. docs/other-languages.md
// describes the members.
//
// Threads: functions that any number of threads may call at a time.
#pragma once

#include <string>
#include <string_view>

#include "loratune/dispatch/choice.h"
#include "loratune/variants/launch_plan.h"

namespace loratune {

// `x`, `ld_y`, `scratch`: the word for a role.
std::string_view to_string(Role role);
// `row_major`, `transposed`, `panel`, `blocked`.
std::string_view to_string(Layout layout);

// Whether a launch of the plan is a function of the engine's own: no other executor can run it.
bool is_native(const LaunchPlan& plan);

// The plan of the choice for a valid problem on the device, one line. Throws std::invalid_argument
// where the choice has no variant.
std::string plan_text(const Problem& problem, Mode mode, const Choice& choice,
                      const DeviceInfo& device);

}  // namespace loratune
