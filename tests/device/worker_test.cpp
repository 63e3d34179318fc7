// The worker process survives, and its parent outlives, what kernels and drivers do to it.
#include "harness/worker/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "harness/base/failure.h"
#include "harness/timing/measure.h"
#include "patience.h"
#include "test_plans.h"

namespace loratune {
namespace {

Worker make_worker(const Deadlines& deadlines = generous_deadlines()) {
  return Worker("Portable Computing Language", deadlines, LORATUNE_BENCH);
}

Round round_of(std::vector<int> order) {
  Round round;
  round.order = std::move(order);
  return round;
}

TEST(Worker, BuildsChecksAndTimes) {
  Worker worker = make_worker();
  EXPECT_EQ(worker.build(small_problem(), split_plan()).outcome, Outcome::correct);
  worker.set_problem(small_problem(), 1);
  const Prepared prepared = worker.prepare(0, split_plan(), 0);
  EXPECT_EQ(to_string(prepared.outcome), "correct") << prepared.detail;
  EXPECT_GT(prepared.probe_ns, 0);
  EXPECT_GT(prepared.error_over_bound, 0);
  EXPECT_LE(prepared.error_over_bound, 1);
  EXPECT_GT(worker.launch_floor_ns(), 0);
  Round round = round_of({0, kCanary, 0});
  round.doubled = true;
  const RoundReply reply = worker.run_round(round);
  ASSERT_EQ(reply.ns.size(), 3U);
  ASSERT_EQ(reply.doubled_ns.size(), 3U);
  for (const double ns : reply.ns) EXPECT_GT(ns, 0);
  EXPECT_EQ(worker.recheck(0).outcome, Outcome::correct);
  const EventReading events = worker.read_events(0);
  EXPECT_TRUE(events.ns > 0 || !events.fault.empty());
}

TEST(Worker, KeepsAProblemsArmsWhileAnotherIsSelectedIfAsked) {
  Worker worker = make_worker();
  Problem other = small_problem();
  other.m += 3;
  const auto runs = [&](int arm) {
    const RoundReply reply = worker.run_round(round_of({arm}));
    return reply.failed < 0 && reply.ns.size() == 1;
  };
  worker.set_problem(small_problem(), 1);
  ASSERT_EQ(worker.prepare(0, split_plan(), 0).outcome, Outcome::correct);
  worker.set_problem(other, 1, Cache::warm, true);
  ASSERT_EQ(worker.prepare(0, split_plan(other), 0).outcome, Outcome::correct);
  ASSERT_EQ(worker.prepare(1, split_plan(other), 0).outcome, Outcome::correct);
  worker.set_problem(small_problem(), 1, Cache::warm, true);
  EXPECT_TRUE(runs(0));
  EXPECT_EQ(worker.recheck(0).outcome, Outcome::correct);
  worker.set_problem(other, 1, Cache::warm, true);
  EXPECT_TRUE(runs(1));
  worker.set_problem(small_problem(), 1);  // forgets all
  EXPECT_NE(worker.recheck(0).outcome, Outcome::correct);
}

TEST(Worker, AKernelThatNeverEndsIsKilledAndTheNextOneRuns) {
  Deadlines deadlines = generous_deadlines();
  deadlines.build = deadlines.run_slack = patience_s() / 2;  // a request is given their sum
  Worker worker = make_worker(deadlines);
  worker.set_problem(small_problem(), 1);
  ASSERT_EQ(worker.prepare(0, split_plan(), 0).outcome, Outcome::correct);
  const pid_t first = worker.pid();
  const Prepared hung = worker.prepare(1, hanging_plan(), 1e5);
  EXPECT_EQ(to_string(hung.outcome), "timeout") << hung.detail;
  EXPECT_NE(kill(first, 0), 0) << "the hanging process still runs";
  EXPECT_EQ(worker.prepare(0, split_plan(), 0).outcome, Outcome::correct);
  EXPECT_EQ(worker.generation(), 2);
}

TEST(Worker, AKernelThatEndsTheProcessCostsOneConfig) {
  const Environments variables(kSanitizersStandBack);
  Worker worker = make_worker();
  worker.set_problem(small_problem(), 1);
  const Prepared crashed = worker.prepare(0, stray_plan(), 0);
  EXPECT_EQ(to_string(crashed.outcome), "runtime") << crashed.detail;
  EXPECT_NE(crashed.detail.find("signal"), std::string::npos) << crashed.detail;
  EXPECT_EQ(worker.prepare(1, split_plan(), 0).outcome, Outcome::correct);
}

TEST(Worker, AWrongKernelGetsNoTime) {
  Worker worker = make_worker();
  worker.set_problem(small_problem(), 1);
  const Prepared wrong = worker.prepare(0, plan_of("y[off_y] = 1;"), 0);
  EXPECT_EQ(to_string(wrong.outcome), "correctness");
  EXPECT_EQ(wrong.probe_ns, 0);
  EXPECT_FALSE(wrong.detail.empty());
}

TEST(Worker, AKernelThatDoesNotBuildComesWithItsLog) {
  Worker worker = make_worker();
  const Prepared broken = worker.build(small_problem(), plan_of("this is no C;"));
  EXPECT_EQ(to_string(broken.outcome), "compile");
  EXPECT_NE(broken.detail.find("CL_BUILD_PROGRAM_FAILURE"), std::string::npos) << broken.detail;
}

TEST(Worker, ADeathDuringARoundNamesTheArm) {
  Worker worker = make_worker();
  worker.set_problem(small_problem(), 1);
  ASSERT_EQ(worker.prepare(0, split_plan(), 0).outcome, Outcome::correct);
  // Right until it has run often enough to have been checked and probed, in 5 runs and 3 blocks of
  // 32 at most, then it ends the process.
  LaunchPlan later = split_plan();
  const std::string store = "put_rows(y, module.ld_y, rows, columns, module.scale, g, sum);";
  const std::size_t at = later.source.find(store);
  ASSERT_NE(at, std::string::npos);
  later.source.replace(at, store.size(),
                       store + " if (get_global_id(0) == 0 && runs[0]++ > 120) y[1L << 40] = 0;");
  const std::string parameter = "local float* h_rows) {";
  const std::size_t list = later.source.find(parameter);
  ASSERT_NE(list, std::string::npos);
  later.source.replace(list, parameter.size(), "local float* h_rows, global int* runs) {");
  later.scratch.push_back({4, Zero::once});
  later.launches[1].args.push_back({Role::scratch, 1});
  later.deterministic = false;
  const Prepared prepared = worker.prepare(1, later, 0);
  ASSERT_EQ(to_string(prepared.outcome), "correct") << prepared.detail;
  // Each block is of at least 8 runs, so that 24 of them are enough where probes were short.
  std::vector<int> order(25, 1);
  order[0] = 0;
  const RoundReply reply = worker.run_round(round_of(order));
  EXPECT_EQ(reply.failed, 1);
  EXPECT_EQ(to_string(reply.failure), "runtime");
}

TEST(Worker, IsGoneWithItsParentObject) {
  pid_t pid = -1;
  {
    Worker worker = make_worker();
    worker.set_problem(small_problem(), 1);
    worker.prepare(0, split_plan(), 0);
    pid = worker.pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

// The pipes to a process stand on whatever descriptors are free, and take none away.
TEST(Worker, NeedsNoDescriptorsOfItsOwnChoice) {
  const int null = open("/dev/null", O_RDWR);
  const int taken[] = {100, 101};
  for (const int fd : taken) ASSERT_EQ(dup2(null, fd), fd);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  struct stat expected {};
  ASSERT_EQ(fstat(null, &expected), 0);
  for (const rlim_t most : {before.rlim_cur, rlim_t{32}}) {
    const rlimit lower = {most, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
    Worker worker = make_worker();
    worker.set_problem(small_problem(), 1);
    const Prepared prepared = worker.prepare(0, split_plan(), 0);
    EXPECT_EQ(prepared.outcome, Outcome::correct) << prepared.detail;
    EXPECT_EQ(worker.run_round(round_of({0})).ns.size(), 1U);
    for (const int fd : taken) {
      struct stat now {};
      EXPECT_EQ(fstat(fd, &now), 0) << fd << " was closed";
      EXPECT_EQ(now.st_rdev, expected.st_rdev) << fd << " is another file";
    }
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  }
  for (const int fd : {100, 101, null}) close(fd);
}

TEST(Worker, ADeviceThatIsNotThereIsAFailureNotALoop) {
  Worker worker("no such device", generous_deadlines(), LORATUNE_BENCH);
  EXPECT_THROW(worker.build(small_problem(), split_plan()), Failure);
}

// That the canary's loop runs at all is the constructor's to find out: it throws where no length
// takes long enough.
TEST(Probes, BuildAndRun) {
  Probes probes(test_engine());
  EXPECT_GT(probes.launch_floor_ns(), 0);
  EXPECT_GT(probes.canary_ns(), 0);
  EXPECT_GT(probes.host_canary_ns(), 0);
}

}  // namespace
}  // namespace loratune
