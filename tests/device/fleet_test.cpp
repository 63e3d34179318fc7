// A sweep by mpirun over two PoCL devices, and what becomes of it when parts of it are killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "device/faulty_driver.h"
#include "device/process.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

const std::string kFleetDevice = "Portable Computing Language";

class FleetTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("mpirun --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no mpirun";
    const Result alone =
        Process(folder_, {"--sweep", "--ranks", "0"}, {"OMPI_COMM_WORLD_SIZE=2"}).wait();
    if (alone.err.find("without MPI") != std::string::npos) GTEST_SKIP() << "a build without MPI";
  }

  static Words environment() {
    return {"POCL_DEVICES=pthread pthread", "OMPI_ALLOW_RUN_AS_ROOT=1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"};
  }

  // What each rank runs.
  static Words bench(const std::string& budget) {
    return {LORATUNE_BENCH, "--sweep",  "--device", kFleetDevice, "--features",
            "64",           "--tokens", "1,4",      "--ranks",    "4,8,16",
            "--dtypes",     "f32",      "--budget", budget};
  }
  static Words sweep(int ranks, const std::string& budget, const Words& launcher = {}) {
    return Words{"--oversubscribe", "-n", std::to_string(ranks)} + launcher + bench(budget);
  }

  Process start(const Words& words) const { return {folder_, words, environment(), "mpirun"}; }

  std::size_t journals() const {
    std::size_t count = 0;
    if (!std::filesystem::exists(folder_ / "tuned.json.journal.d")) return 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ / "tuned.json.journal.d")) {
      count += entry.file_size() > 0 ? 1 : 0;
    }
    return count;
  }

  // Waits until `what` gives something other than zero, or the fleet has ended.
  template <class What>
  auto wait_for(const Process& fleet, What what) const {
    auto value = what();
    while (value == 0 && fleet.running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      value = what();
    }
    return value;
  }

  void expect_all_decided(const Result& result) const {
    EXPECT_EQ(result.code, 0) << result.err;
    const auto parsed = load_tuned_file(folder_ / "tuned.json");
    ASSERT_TRUE(parsed.file) << parsed.error << result.err;
    EXPECT_EQ(parsed.file->records.size(), 6U) << result.err;
  }

  // What mpirun started, by rank; empty until all are there.
  static std::vector<pid_t> ranks_of(const Process& mpirun, std::size_t count) {
    std::vector<pid_t> ranks;
    for (const pid_t pid : mpirun.children()) {
      std::ifstream environ("/proc/" + std::to_string(pid) + "/environ");
      const std::string text{std::istreambuf_iterator<char>(environ), {}};
      for (std::size_t rank = 0; rank < count; ++rank) {
        const std::string wanted = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank) + '\0';
        if (text.find(wanted) == std::string::npos) continue;
        ranks.resize(count, -1);
        ranks[rank] = pid;
      }
    }
    return ranks;
  }

  // Seconds of a processor that the process has had.
  static double processor_s(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0;
    double system = 0;
    EXPECT_TRUE(fields >> user >> system) << "process " << pid << " is gone";
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

  TemporaryFolder folder_;
};

// The driver of rank 0 hangs for half a minute, as long as a replay of large journals may take.
TEST_F(FleetTest, SleepsWhereItWaitsForRankZero) {
  const Words one = {"-n", "1", "/usr/bin/env", "HWLOC_COMPONENTS=-opencl"};  // MPI asks no driver
  Process fleet = start(Words{"--oversubscribe"} + one + with_fault("platform:hang") + bench("8s") +
                        Words{":"} + one + bench("8s"));
  // Both ask for devices once MPI has begun.
  const auto has_driver = [](pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/maps");
    const std::string maps{std::istreambuf_iterator<char>(file), {}};
    return maps.find("libpocl") != std::string::npos;
  };
  std::vector<pid_t> ranks;
  wait_for(fleet, [&] {
    ranks = ranks_of(fleet, 2);
    return ranks.size() == 2 && has_driver(ranks[0]) && has_driver(ranks[1]);
  });
  ASSERT_EQ(ranks.size(), 2U);
  double least_s = 2;
  while (fleet.running() && least_s > 0.2) {
    const double before_s = processor_s(ranks[1]);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    if (fleet.running()) least_s = std::min(least_s, processor_s(ranks[1]) - before_s);
  }
  EXPECT_GE(least_s, 0) << "it began anew";
  EXPECT_LE(least_s, 0.2) << "of two seconds: it does not sleep";
  if (fleet.running() && ranks[0] > 0) kill(ranks[0], SIGKILL);
  const Result result = fleet.wait();
  EXPECT_NE(result.code, 0) << result.err;
}

TEST_F(FleetTest, DecidesAllAndWritesOneFileThatItsJournalsGiveAgain) {
  const Result result = start(sweep(2, "8s")).wait();
  expect_all_decided(result);
  EXPECT_EQ(journals(), 3U) << "one a rank of the problems";
  Words merge = {"--merge"};
  for (const char* name : {"r4", "r8", "r16"}) {
    merge = merge +
            Words{"tuned.json.journal.d/fwd_m1_k64_n64_" + std::string(name) + "_f32_acc.journal"};
  }
  const Result merged = Process(folder_, merge + Words{"--out", "merged.json"}, {}).wait();
  EXPECT_EQ(merged.code, 0) << merged.err;
  const auto all = load_tuned_file(folder_ / "tuned.json").file;
  const auto again = load_tuned_file(folder_ / "merged.json").file;
  ASSERT_TRUE(all && again);
  EXPECT_EQ(again->records, all->records);

  // All is known: nothing is measured again.
  const std::string before = read_bytes(folder_ / "tuned.json");
  const Result resumed = start(sweep(2, "8s") + Words{"--resume"}).wait();
  expect_all_decided(resumed);
  EXPECT_EQ(read_bytes(folder_ / "tuned.json"), before);
  const Result other = start(sweep(2, "8s") + Words{"--resume", "--seed", "2"}).wait();
  EXPECT_EQ(other.code, 2) << other.err;
  EXPECT_NE(other.err.find("differing: seed"), std::string::npos) << other.err;
}

TEST_F(FleetTest, KeepsEarlierJournalsAndLeavesThoseOfARunningSweepAlone) {
  const auto folder = folder_ / "tuned.json.journal.d";
  for (const char* text : {"00000001 first", "00000002 second"}) {
    std::filesystem::create_directories(folder);
    write_bytes(folder / "it.journal", text);
    const Result result = start(sweep(2, "8s")).wait();
    EXPECT_EQ(result.code, 0) << result.err;
    std::filesystem::remove_all(folder);
  }
  EXPECT_EQ(read_bytes(folder_ / "tuned.json.journal.d.old" / "it.journal"), "00000001 first");
  EXPECT_EQ(read_bytes(folder_ / "tuned.json.journal.d.old.2" / "it.journal"), "00000002 second");

  std::filesystem::create_directories(folder);
  write_bytes(folder / "it.journal", "00000003 of another sweep");
  const int held = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(held, LOCK_EX | LOCK_NB), 0);
  const Result result = start(sweep(2, "8s")).wait();
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_NE(result.err.find("is in use by another sweep"), std::string::npos) << result.err;
  EXPECT_EQ(read_bytes(folder / "it.journal"), "00000003 of another sweep");
  close(held);
}

TEST_F(FleetTest, HandsOutAgainWhatASweepThatIsKilledLeaves) {
  Process fleet = start(sweep(2, "10s"));
  const pid_t killed = wait_for(fleet, [&]() -> pid_t {
    if (journals() < 2) return 0;
    const auto ranks = ranks_of(fleet, 2);
    if (ranks.size() < 2 || ranks[1] <= 0) return 0;
    const auto sweeps = children_of(ranks[1]);
    return sweeps.empty() ? 0 : sweeps[0];
  });
  ASSERT_GT(killed, 0);
  const auto workers = children_of(killed);
  kill(killed, SIGKILL);
  const Result result = fleet.wait();
  expect_all_decided(result);
  EXPECT_NE(result.err.find("rank 1 failed"), std::string::npos) << result.err;
  for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "an orphan";
}

TEST_F(FleetTest, OutlivesARankWhereTheLauncherLetsIt) {
  Process fleet = start(sweep(2, "10s", {"--enable-recovery"}));
  const pid_t killed = wait_for(fleet, [&]() -> pid_t {
    if (journals() < 2) return 0;
    const auto ranks = ranks_of(fleet, 2);
    return ranks.size() < 2 || ranks[1] <= 0 || children_of(ranks[1]).empty() ? 0 : ranks[1];
  });
  ASSERT_GT(killed, 0);
  const auto sweeps = children_of(killed);
  kill(killed, SIGKILL);
  const Result result = fleet.wait();
  expect_all_decided(result);
  EXPECT_NE(result.err.find("rank 1 is gone"), std::string::npos) << result.err;
  for (const pid_t sweep : sweeps) EXPECT_TRUE(is_gone(sweep)) << "an orphan";
}

TEST_F(FleetTest, KilledGoesOnWithResume) {
  {
    Process fleet = start(sweep(2, "10s"));
    ASSERT_TRUE(wait_for(fleet, [&] { return journals() >= 2; }));
    const auto ranks = ranks_of(fleet, 2);
    ASSERT_EQ(ranks.size(), 2U);
    kill(ranks[0], SIGKILL);  // with which the launcher ends the other
    EXPECT_NE(fleet.wait().code, 0);
  }
  expect_all_decided(start(sweep(2, "10s") + Words{"--resume"}).wait());
}

TEST_F(FleetTest, SaysInALineWhatIsWrongWithItsInput) {
  const Result result = start(sweep(2, "8s") + Words{"--shard", "3/2"}).wait();
  EXPECT_EQ(result.code, 2) << result.err;
  const Result missing =
      start({"--oversubscribe", "-n", "2", LORATUNE_BENCH, "--sweep", "--device", "no such device"})
          .wait();
  EXPECT_EQ(missing.code, 2) << missing.err;
  EXPECT_EQ(complaints(missing), 1) << missing.err;
}

}  // namespace
}  // namespace loratune
