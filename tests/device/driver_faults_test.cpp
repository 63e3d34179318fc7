// Faults of a driver, planted by faulty_driver.c: each costs a config or ends the run with a line,
// and none of them ends or holds up the parent. Where the other faults of the harness are tested:
//
//   a kernel never ends; ends the process; during a round  worker_test.cpp
//   a driver hangs, exits or crashes in --check, --bench   faulty_modes_test.cpp
//   a kernel is wrong                                       faults_test.cpp, worker_test.cpp
//   the compiler hangs, takes all memory                    here
//   CL_OUT_OF_RESOURCES, a lost device                      here
//   the default's worker is lost once                       here
//   a gate loses its worker once                            gate_test.cpp
//   the parent is told to end while its worker hangs        here
//   no descriptors are free but a few                       worker_test.cpp
//   a sound worker or builder is killed                     prepared_arms_test.cpp, prove-resume
//   no ICD; a broken second platform                        command_line_test.cpp; here
//   a platform hangs or ends whoever asks for its devices   here
//   the parent is killed                                    command_line_test.cpp, prove-resume
//   the parent is killed while its worker hangs             here
//   a rank of a fleet, or its sweep, is killed              fleet_test.cpp
//   a torn, changed or foreign journal                      journal_test.cpp
//   two writers of a journal                                sweep_setup_test.cpp
//   disk full, read-only, EINTR                             atomic_write_test.cpp, journal_test.cpp
//   two writers of a tuned file                             tuned_output_test.cpp
//   a hostile tuned file                                    tuned_file_test.cpp
//   two suites on one device                                device_lock_test.cpp
//   a config that fails again and again                     quarantine_test.cpp
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "device/faulty_driver.h"
#include "harness/base/failure.h"
#include "harness/sweep/journal.h"
#include "harness/worker/worker.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/tuned_file.h"
#include "patience.h"
#include "test_engine.h"

namespace loratune {
namespace {

const std::string kPocl = "Portable Computing Language";

// A worker whose driver has the fault, until it is told that it has none.
class FaultyWorker : public testing::Test {
 protected:
  FaultyWorker() {
    problem_.m = 4;
    problem_.k = 64;
    problem_.n = 32;
    problem_.rank = 4;
  }

  void plant(const std::string& fault) {
    heal();
    planted_.emplace(with_fault(fault));
  }
  // For the next process.
  void heal() { planted_.reset(); }

  LaunchPlan plan() const {
    const Variant& variant = *find_variant("split");
    const DeviceInfo& device = test_device().info;
    return variant.plan(problem_, variant.default_config(problem_, device), device);
  }

  // The process that had the fault is gone, and the next one works.
  void expect_recovery(Worker& worker, pid_t faulty) {
    EXPECT_NE(kill(faulty, 0), 0) << "the faulty process still runs";
    heal();
    EXPECT_EQ(worker.prepare(0, plan(), 0).outcome, Outcome::correct);
    EXPECT_EQ(worker.generation(), 2);
  }

  Problem problem_;
  std::optional<Environments> planted_;
  Deadlines limits_ = generous_deadlines();
};

TEST_F(FaultyWorker, OutlivesACompilerThatHangs) {
  limits_.build = patience_s();
  plant("build:hang");
  Worker worker(kPocl, limits_, LORATUNE_BENCH);
  worker.set_problem(problem_, 1);
  worker.read_events(0);  // starts the process: no arm is there, but what is wanted is its number
  const pid_t faulty = worker.pid();
  ASSERT_GT(faulty, 0);
  EXPECT_EQ(to_string(worker.build(problem_, plan()).outcome), "timeout");
  expect_recovery(worker, faulty);
}

TEST_F(FaultyWorker, OutlivesACompilerThatTakesAllMemory) {
  // AddressSanitizer alone keeps 256 MiB of what was freed.
  limits_.build_bytes = std::int64_t{1} << 30;
  plant("build:memory");
  Worker worker(kPocl, limits_, LORATUNE_BENCH);
  const Prepared built = worker.build(problem_, plan());
  EXPECT_EQ(to_string(built.outcome), "runtime") << "a timeout: no limit, but the deadline";
  // By abort(); an allocator of AddressSanitizer ends it with an exit code of its own.
  EXPECT_NE(built.detail.find("the worker process ended "), std::string::npos) << built.detail;
  heal();
  EXPECT_EQ(worker.build(problem_, plan()).outcome, Outcome::correct) << "within the limit";
}

TEST_F(FaultyWorker, DoesNotGoOnWithAContextThatIsOutOfResources) {
  for (const char* fault : {"run:", "finish:"}) {
    plant(fault + plan().launches[0].kernel);
    Worker worker(kPocl, limits_, LORATUNE_BENCH);
    worker.set_problem(problem_, 1);
    worker.read_events(0);
    const pid_t faulty = worker.pid();
    ASSERT_GT(faulty, 0);
    const Prepared failed = worker.prepare(0, plan(), 0);
    EXPECT_EQ(to_string(failed.outcome), "runtime") << fault;
    EXPECT_NE(failed.detail.find("CL_OUT_OF_RESOURCES"), std::string::npos) << failed.detail;
    expect_recovery(worker, faulty);
  }
}

TEST_F(FaultyWorker, IsGivenUpWhereTheDeviceStaysLost) {
  plant("context:crash");
  Worker worker(kPocl, limits_, LORATUNE_BENCH);
  try {
    worker.build(problem_, plan());
    ADD_FAILURE() << "a device that is not there was opened";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitDeviceFault);
    EXPECT_NE(std::string(failure.what()).find("three workers in a row"), std::string::npos);
  }
  EXPECT_EQ(worker.generation(), 3);
}

TEST_F(FaultyWorker, IsReplacedAfterManyConfigs) {
  limits_.configs = 2;
  Worker worker(kPocl, limits_, LORATUNE_BENCH);
  for (int i = 0; i < 5; ++i) {
    worker.set_problem(problem_, 1);
    ASSERT_EQ(worker.prepare(0, plan(), 0).outcome, Outcome::correct);
    EXPECT_EQ(worker.generation(), 1 + i / 2);
  }
}

class FaultyDriver : public testing::Test {
 protected:
  static Words sweep() {
    return {"--sweep", "--device", kPocl,      "--features", "64",       "--tokens", "1",
            "--ranks", "4",        "--dtypes", "f32",        "--budget", "60s"};
  }
  // The file that is made where a build hangs.
  std::string sign() const { return folder_ / "hangs"; }
  void wait_until_it_hangs(const Process& process) const {
    while (!std::filesystem::exists(sign())) {
      ASSERT_TRUE(process.running());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  TemporaryFolder folder_;
};

TEST_F(FaultyDriver, ThatFailsEverywhereEndsTheSweepWith5AndALine) {
  for (const char* fault : {"run:*", "context:crash"}) {
    const Result result = Process(folder_, sweep(), with_fault(fault)).wait();
    EXPECT_EQ(result.code, 5) << fault << result.err;
    EXPECT_EQ(complaints(result), 1) << result.err;
  }
}

// As another process, or a hiccup of the driver, may end a sound worker.
TEST_F(FaultyDriver, ThatCostsTheDefaultItsWorkerOnceLosesNoProblem) {
  std::string why;
  const Problem problem = parse_problem("m1_k64_n64_r4_f32_acc", why).value();
  const DeviceInfo& device = test_device().info;
  const Choice standard = default_choice(problem, device);
  const LaunchPlan plan = standard.variant->plan(problem, standard.config, device);
  for (const std::string& fault : {std::string("build"), plan.launches.at(0).kernel}) {
    const TemporaryFolder folder;
    const std::string sign = folder / "once";
    const Words few = {"--evaluations", "2", "--builders", "0"};
    const Result result =
        Process(folder, sweep() + few, with_fault("once:" + fault) + Words{"LORATUNE_ONCE=" + sign})
            .wait();
    EXPECT_TRUE(std::filesystem::exists(sign)) << fault << " ended no process";
    EXPECT_EQ(result.code, 0) << fault << result.err;
    const ParsedTunedFile tuned = load_tuned_file(folder / "tuned.json");
    ASSERT_TRUE(tuned.file) << tuned.error;
    ASSERT_EQ(tuned.file->records.size(), 1U);
    EXPECT_GT(tuned.file->records[0].default_ns, 0);
  }
}

TEST_F(FaultyDriver, BreaksNoPlatformButItsOwn) {
  const Result result = Process(folder_, {"--list"}, with_fault("platform:broken")).wait();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("pthread"), std::string::npos) << result.out;
  const std::string all = result.out + result.err;
  EXPECT_NE(all.find("is passed over: "), std::string::npos) << all;
}

// Asked for its devices, the second platform hangs or ends the process; the first one serves on.
TEST_F(FaultyDriver, ThatCannotBeAskedIsPassedOver) {
  const std::pair<std::string, std::string> faults[] = {
      {"platform:abort", "ends the process that asks for its devices"},
      {"platform:hang", "does not answer"}};
  for (const auto& [fault, how] : faults) {
    const std::string line =
        std::string("platform ").append(kPocl).append(" is passed over: it ").append(how);
    const Result list = Process(folder_, {"--list"}, with_fault(fault)).wait();
    EXPECT_EQ(list.code, 0) << list.err;
    EXPECT_NE(list.out.find("pthread"), std::string::npos) << list.out;
    EXPECT_NE(list.out.find("  -  " + line + "\n"), std::string::npos) << list.out;
  }
  // The workers pass over it too.
  const Result check = Process(folder_,
                               {"--check", "--variants", "naive", "--tokens", "1", "--features",
                                "64", "--ranks", "4", "--dtypes", "f32"},
                               with_fault("platform:abort"))
                           .wait();
  EXPECT_EQ(check.code, 0) << check.err;
}

TEST_F(FaultyDriver, ThatIsTheOnlyOneAndCannotBeAskedLeavesNoDevice) {
  const Result result =
      Process(folder_, {"--check", "--variants", "naive"}, with_fault("device:abort")).wait();
  EXPECT_EQ(result.code, 77) << result.err;
  const std::string line = "lora-bench: no OpenCL device that can be used; platform " + kPocl +
                           " is passed over: it ends the process that asks for its devices";
  EXPECT_EQ(result.err.find(line), 0U) << result.err;
}

TEST_F(FaultyDriver, ThatHangsDoesNotHoldUpSigterm) {
  Process process(folder_, sweep(), with_fault("build:hang") + Words{"LORATUNE_HANGS=" + sign()});
  wait_until_it_hangs(process);
  process.signal(SIGTERM);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  // Had the build been waited for, its reply would stand in the journal.
  EXPECT_EQ(read_journal(folder_ / "tuned.json.journal").replies.size(), 0U);
}

TEST_F(FaultyDriver, ThatHangsLeavesNoOrphanOfAKilledSweep) {
  Process process(folder_, sweep(), with_fault("build:hang") + Words{"LORATUNE_HANGS=" + sign()});
  wait_until_it_hangs(process);
  const std::vector<pid_t> workers = process.children();
  ASSERT_FALSE(workers.empty());
  process.signal(SIGKILL);
  process.wait();
  for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "an orphan";
}

}  // namespace
}  // namespace loratune
