// Runs a gate: base's and candidate's plans side by side in one worker, after sentinels that tell
// whether this machine can be measured on at all.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/base/interrupt.h"
#include "harness/gate/plans_file.h"
#include "harness/gate/result.h"
#include "harness/worker/worker.h"

namespace loratune {

struct GateOptions {
  GateRules rules;
  std::uint64_t seed = 1;
  bool time_unchanged = false;
};

struct GateProgress {
  std::size_t done, cases;
  std::string doing;
};

// Cases of the result: the union of both sides by name, and `pack/<problem>` for the picks that
// both have. Equal plans are not tried unless `time_unchanged`; a candidate's new case is checked,
// not timed. Ends between requests when `interrupted` says so: with the cases that are whole by
// then, or where none is, by Interrupted.
GateResult run_gate(const PlansFile& base, const PlansFile& candidate, const GateOptions& options,
                    Worker& worker, const std::function<bool()>& interrupted,
                    const std::function<void(const GateProgress&)>& progress);

// A fixed kernel of ours as a plan for the problem; `arm` makes two of them two programs.
LaunchPlan sentinel_plan(const Problem& problem, int arm);

}  // namespace loratune
