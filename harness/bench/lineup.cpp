#include "harness/bench/lineup.h"

#include <algorithm>

#include "harness/bench/clblast_arm.h"

namespace loratune {
namespace {

Case case_of(const Problem& problem, std::uint64_t seed) {
  Case operands;
  operands.problem = problem;
  operands.seed = seed;
  return operands;
}

}  // namespace

Lineup::Lineup(Engine& engine, Probes& probes, const Problem& problem, const BenchOptions& options,
               const std::vector<Rival>& rivals)
    : checker_(engine, case_of(problem, options.seed)),
      ring_(engine, checker_, options.cache),
      cache_bytes_(options.cache == Cache::rotate ? last_level_cache_bytes(engine.device()) : 0) {
  for (const Rival& rival : rivals) {
    if (rival.choice) {
      const Choice& choice = *rival.choice;
      arm_of_rival_[rival.name] =
          plan_arm_index(choice.variant->plan(problem, choice.config, engine.info()), engine);
      labels_[rival.name] =
          std::string(choice.variant->name) + " " + to_string(choice.variant->space, choice.config);
    } else {
      arm_of_rival_[rival.name] = static_cast<int>(arms_.size());
      BenchArm& arm = arms_.emplace_back();
      guarded(arm, [&] { arm = other_arm(rival.name, engine, probes); });
      labels_[rival.name] = arm.label;
    }
  }
}

int Lineup::plan_arm_index(const LaunchPlan& plan, Engine& engine) {
  const auto same = std::find_if(plans_.begin(), plans_.end(),
                                 [&](const auto& known) { return known.first == plan; });
  if (same != plans_.end()) return same->second;
  const int index = static_cast<int>(arms_.size());
  arms_.push_back(plan_arm(engine, checker_, ring_, plan));
  plans_.emplace_back(plan, index);
  return index;
}

BenchArm Lineup::other_arm(const std::string& name, Engine& engine, Probes& probes) {
  if (name == "launch") return launch_arm(probes);
  if (name == "openblas") return openblas_arm(checker_, cache_bytes_);
  return clblast_arm(engine, checker_, cache_bytes_);
}

void Lineup::check() {
  for (BenchArm& arm : arms_) {
    if (arm.outcome != Outcome::correct) continue;
    guarded(arm, [&] {
      const CheckResult checked = arm.check();
      arm.outcome = checked.outcome;
      arm.detail = checked.detail;
      arm.error_over_bound = checked.error_over_bound;
    });
  }
}

void Lineup::probe() {
  for (BenchArm& arm : arms_) {
    if (arm.outcome != Outcome::correct) continue;
    guarded(arm, [&] { arm.timed.probe_ns = time_run_ns(arm.timed); });
  }
}

}  // namespace loratune
