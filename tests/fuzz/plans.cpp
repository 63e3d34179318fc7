// A plans file: read, written again, and asked for all that the gate and the engine compute from a
// plan before it runs.
#include "fuzz.h"
#include "harness/gate/plans_file.h"
#include "loratune/variants/packing.h"
#include "unit/fictional.h"
#include "unit/temporary_folder.h"

namespace loratune::fuzz {
namespace {

void prepare_to_launch(const PlanCase& one) {
  const LaunchPlan slower = with_repeated_work(one.plan, one.problem, 150);
  expect(slower.launches.size() >= one.plan.launches.size(), "repeated work is added");
  program_key(one.plan);
  const Problem& problem = one.problem;
  expect(packed_size(one.plan.a, problem.rank, problem.k) >= 0, "a packed matrix has a size");
  expect(packed_size(one.plan.b, problem.n, problem.rank) >= 0, "a packed matrix has a size");
  expect(joined_off_b(one.plan.a, problem) >= 0, "B begins behind A");
  expect(packed_ld(one.plan.a, problem.rank, problem.k) >= 0, "a row has a pitch");
  expect(packed_ld(one.plan.b, problem.n, problem.rank) >= 0, "a row has a pitch");
}

PlanCase small_case() {
  PlanCase one;
  one.problem = fictional::problem(3);
  one.name = "split/" + to_string(one.problem);
  one.plan.source = "kernel void f(global float* y) {}";
  one.plan.defines = {{"WG_SIZE", 64}};
  one.plan.flags = {"-cl-std=CL1.2"};
  one.plan.a = {Layout::panel, 8, true};
  one.plan.b = {Layout::blocked, 4, false};
  one.plan.scratch = {{256, Zero::once}};
  one.plan.launches.push_back(
      {"f",
       2,
       {128, 4, 1},
       {64, 1, 1},
       {{Role::y}, {Role::scratch, 0}, {Role::local, 64}, {Role::m}, {Role::i32, 7}},
       true});
  return one;
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  return takes([&] {
    for (const PlanCase& one : read_plans(file.path()).cases) prepare_to_launch(one);
  });
}

std::vector<std::string> sound_inputs() {
  const TemporaryFolder folder;
  const std::string path = folder / "plans.json";
  write_plans(path, {{"lora-bench", "0.1.0", "0123456789ab"}, fictional::device(), {small_case()}});
  return {read_bytes(path)};
}

}  // namespace loratune::fuzz
