#include "harness/bench/arm_set.h"

#include "harness/bench/clblast_arm.h"
#include "harness/bench/host_arm.h"

namespace loratune {
namespace {

Case case_of(const Problem& problem, std::uint64_t seed) {
  Case operands;
  operands.problem = problem;
  operands.seed = seed;
  return operands;
}

}  // namespace

ArmSet::ArmSet(Engine& engine, Probes& probes, const Problem& problem, std::uint64_t seed,
               Cache cache, const std::vector<ArmSpec>& specs, WorkerShared& shared)
    : shared_(shared),
      checker_(engine, case_of(problem, seed)),
      ring_(engine, checker_, cache),
      cache_(cache),
      cache_bytes_(cache == Cache::rotate ? last_level_cache_bytes(engine.device()) : 0),
      arms_(specs.size()) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    BenchArm& arm = arms_[i];
    arm.outcome = specs[i].outcome;
    arm.detail = specs[i].detail;
    if (arm.outcome != Outcome::correct) continue;
    begin(i);
    if (specs[i].other.empty()) {
      arm = plan_arm(engine, checker_, ring_, specs[i].plan);
    } else {
      guarded(arm, [&] { arm = other_arm(specs[i].other, engine, probes); });
    }
  }
  shared_.current_arm = kNoArm;
}

BenchArm ArmSet::other_arm(const std::string& name, Engine& engine, Probes& probes) {
  if (name == "launch") return launch_arm(probes);
  if (name == "copy_y") return copy_arm(engine, checker_);
  Case other = checker_.problem_case();
  if (name == "without_dora") {
    other.problem.dora = false;
    return other_case_arm(engine, other, cache_, "without DoRA");
  }
  if (name == "one_adapter") {
    other.problem.adapters = 0;
    return other_case_arm(engine, other, cache_, "one adapter for all rows");
  }
  if (name == "openblas") return openblas_arm(checker_, cache_bytes_);
  if (name == "host") return host_arm(checker_, cache_bytes_);
  return clblast_arm(engine, checker_, cache_bytes_);
}

void ArmSet::begin(std::size_t arm) {
  shared_.current_arm = static_cast<int>(arm);
  ++shared_.steps;
}

template <class F>
void ArmSet::with_each_correct(F&& work) {
  for (std::size_t i = 0; i < arms_.size(); ++i) {
    if (arms_[i].outcome != Outcome::correct) continue;
    begin(i);
    guarded(arms_[i], [&] { work(arms_[i]); });
  }
  shared_.current_arm = kNoArm;
}

void ArmSet::check() {
  with_each_correct([](BenchArm& arm) {
    const CheckResult checked = arm.check();
    arm.outcome = checked.outcome;
    arm.detail = checked.detail;
    arm.error_over_bound = checked.error_over_bound;
  });
}

void ArmSet::probe() {
  with_each_correct([](BenchArm& arm) { arm.timed.probe_ns = time_run_ns(arm.timed); });
}

}  // namespace loratune
