// A plans file is what one commit would run, as data: for each case the whole launch plan, kernel
// source and layouts included. The gate times the plans of two commits side by side. It holds
// source for the compiler: read plans files from trusted places only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "loratune/dispatch/choice.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/dispatch/tuned_file.h"
#include "loratune/variants/launch_plan.h"

namespace loratune {

// `pick/<problem>`: what the dispatcher picks. `<variant>/<problem>`: a variant's default config.
struct PlanCase {
  std::string name;
  Problem problem;
  LaunchPlan plan;
  bool operator==(const PlanCase&) const = default;
};

struct PlansFile {
  ToolInfo tool;
  DeviceInfo device;
  std::vector<PlanCase> cases;  // by name, each once
};

// The problems of a gate that is not told others: small enough for minutes on two cores.
std::vector<Problem> gate_problems();

// Of each problem the pick and every variant that supports it; a variant that repeats so much work
// that timing it takes seconds is left out.
std::vector<PlanCase> make_cases(std::span<const Problem> problems,
                                 std::span<const Variant* const> variants,
                                 const Dispatcher& dispatcher, Mode mode);

// The plan with `percent` of its first launch's work-groups run once more in front, where that
// keeps the result: the launch writes scratch only, or y is overwritten. The plan itself elsewhere.
// A true slow-down, for the gate's own proof.
LaunchPlan with_repeated_work(const LaunchPlan& plan, const Problem& problem, int percent);

// Writes atomically. Throws Failure (kExitUsage).
void write_plans(const std::string& path, const PlansFile& plans);

// Throws Failure (kExitUsage) with one line for a file that cannot be read or is of another
// version.
PlansFile read_plans(const std::string& path);

}  // namespace loratune
