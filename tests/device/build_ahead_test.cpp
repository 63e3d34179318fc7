// Programs built side by side are there when the worker wants them, and what ends a process costs
// that program alone.
#include "harness/worker/build_ahead.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "harness/base/interrupt.h"
#include "patience.h"
#include "test_plans.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

constexpr const char* kPocl = "Portable Computing Language";

// The machine code that PoCL keeps there.
std::set<std::string> compiled_in(const TemporaryFolder& folder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.path().extension() == ".so") files.insert(entry.path());
  }
  return files;
}

// A plan of its own for each number.
LaunchPlan numbered_plan(int number) {
  return plan_of("if (m < 0) y[off_y] = " + std::to_string(number) + ";");
}

TEST(BuildAhead, WhatItBuiltTheWorkerFinds) {
  const TemporaryFolder cache;
  const Environment variable("POCL_CACHE_DIR", cache.path());
  BuildAhead ahead(kPocl, 2, kGenerousSeconds, LORATUNE_BENCH);
  std::vector<Program> programs;
  for (int i = 0; i < 5; ++i) programs.push_back({small_problem(), numbered_plan(i)});
  const std::vector<BuiltAhead> built = ahead.build(programs);
  ASSERT_EQ(built.size(), 5U);
  for (const BuiltAhead& one : built) {
    EXPECT_EQ(to_string(one.outcome), "correct");
    EXPECT_GT(one.seconds, 0);
  }
  const std::set<std::string> there = compiled_in(cache);
  EXPECT_EQ(there.size(), 5U);

  Worker worker(kPocl, generous_deadlines(), LORATUNE_BENCH,
                false);  // one that times has probes to compile too
  for (const Program& program : programs) {
    EXPECT_EQ(worker.build(program.problem, program.plan).outcome, Outcome::correct);
  }
  EXPECT_EQ(compiled_in(cache), there) << "something was compiled again";
  worker.build(small_problem(), numbered_plan(5));
  EXPECT_EQ(compiled_in(cache).size(), 6U);
}

TEST(BuildAhead, WhatEndsAProcessCostsThatProgramAlone) {
  const Environments variables(kSanitizersStandBack);
  BuildAhead ahead(kPocl, 2, patience_s(), LORATUNE_BENCH);
  const std::vector<Program> programs = {{small_problem(), hanging_plan()},
                                         {small_problem(), numbered_plan(0)},
                                         {small_problem(), stray_plan()},
                                         {small_problem(), plan_of("this is no C")},
                                         {small_problem(), split_plan()}};
  const std::vector<BuiltAhead> built = ahead.build(programs);
  std::string outcomes;
  for (const BuiltAhead& one : built) outcomes += std::string(to_string(one.outcome)) + " ";
  EXPECT_EQ(outcomes, "timeout correct runtime compile correct ");
  // The next are built by fresh processes.
  EXPECT_EQ(ahead.build({&programs[1], 1}).at(0).outcome, Outcome::correct);
}

TEST(BuildAhead, AWaitEndsWhenItIsInterrupted) {
  BuildAhead ahead(kPocl, 2, kGenerousSeconds, LORATUNE_BENCH);
  const std::vector<Program> programs = {{small_problem(), hanging_plan()},
                                         {small_problem(), hanging_plan()}};
  int asked = 0;
  ahead.interrupt_when([&] { return ++asked > 20; });  // once both processes are at it
  EXPECT_THROW(ahead.build(programs), Interrupted);
  ahead.interrupt_when([] { return false; });
  EXPECT_EQ(ahead.build({{{small_problem(), numbered_plan(0)}}}).at(0).outcome, Outcome::correct);
}

TEST(BuildAhead, ADeviceThatItCannotOpenIsLeftAlone) {
  BuildAhead ahead("no such device", 2, kGenerousSeconds, LORATUNE_BENCH);
  const std::vector<Program> programs = {{small_problem(), split_plan()}};
  EXPECT_EQ(ahead.build(programs).at(0).outcome, Outcome::skipped);
  EXPECT_EQ(ahead.build(programs).at(0).outcome, Outcome::skipped);
}

TEST(BuildAhead, WithoutProcessesNothingIsBuilt) {
  BuildAhead ahead(kPocl, 0, kGenerousSeconds, LORATUNE_BENCH);
  const std::vector<Program> programs = {{small_problem(), split_plan()}};
  EXPECT_EQ(ahead.build(programs).at(0).outcome, Outcome::skipped);
}

}  // namespace
}  // namespace loratune
