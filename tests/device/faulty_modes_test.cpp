// --check and --bench as a user runs them with a driver that ends the process or never returns: the
// case or the arm that ran has failed, with a line that says how and what reproduces it, and the
// others go on.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "device/faulty_driver.h"
#include "patience.h"

namespace loratune {
namespace {

using nlohmann::json;

const std::string kPocl = "Portable Computing Language";

class FaultyModes : public testing::Test {
 protected:
  // The fault happens once: to the process that makes the file.
  Words once(const std::string& fault) const {
    return with_fault(fault) + Words{"LORATUNE_ONCE=" + sign_};
  }

  Result run(const Words& words, const Words& environment) {
    return Process(folder_, words, environment).wait();
  }

  void await_fault(const Process& process) const {
    while (!std::filesystem::exists(sign_)) {
      ASSERT_TRUE(process.running());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  TemporaryFolder folder_;
  const std::string sign_ = (folder_ / "happened").string();
  // Five cases.
  const Words check_ = {"--check",  "--device",  kPocl,        "--variants", "naive",
                        "--tokens", "1,2,3,4,5", "--features", "64",         "--ranks",
                        "4",        "--dtypes",  "f32"};
};

struct Counts {
  int cases = 0, skipped = 0;
  std::vector<std::string> failures;
};

Counts counts(const Result& result) {
  Counts counts;
  for (const json& row : json::parse(result.out)) {
    counts.cases += row.at("cases").get<int>();
    counts.skipped += row.at("skipped").get<int>();
    for (const json& failure : row.at("failures")) counts.failures.push_back(failure);
  }
  return counts;
}

TEST_F(FaultyModes, ACheckFailsTheCaseThatRanAndChecksTheOthers) {
  const std::string patience = std::to_string(static_cast<int>(patience_s()) + 1);
  const std::pair<std::string, std::string> faults[] = {
      {"exit:naive", "runtime: the worker process ended with exit code 0"},
      {"abort:naive", "runtime: the worker process ended by signal 6"},
      {"hang:naive", "timeout: no end within "}};
  for (const auto& [fault, how] : faults) {
    std::filesystem::remove(sign_);
    const Result result = run(check_ + Words{"--patience", patience, "--json"}, once(fault));
    EXPECT_EQ(result.code, 5) << fault << "\n" << result.err;
    const Counts found = counts(result);
    EXPECT_EQ(found.cases, 5) << fault;
    EXPECT_EQ(found.skipped, 0) << fault;
    ASSERT_EQ(found.failures.size(), 1U) << fault << "\n" << result.out;
    EXPECT_EQ(found.failures[0].find(how), 0U) << found.failures[0];
    EXPECT_NE(found.failures[0].find("\n    lora-bench --check --variants naive --problem fwd_"),
              std::string::npos)
        << found.failures[0];
  }
}

TEST_F(FaultyModes, ACheckShowsTheFailureInItsTable) {
  const Result result = run(check_, once("exit:naive"));
  EXPECT_EQ(result.code, 5) << result.err;
  EXPECT_NE(result.out.find("FAILED"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("\n5 cases, 1 failed, 0 skipped\n"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("lora-bench --check --variants naive"), std::string::npos)
      << result.err;
}

TEST_F(FaultyModes, ACheckOfAKernelThatAlwaysHangsDoesNotWaitForEveryCase) {
  const Result result = run(check_ + Words{"--patience", "1s", "--json"}, with_fault("hang:naive"));
  EXPECT_EQ(result.code, 5) << result.err;
  const Counts found = counts(result);
  EXPECT_EQ(found.cases, 5);
  EXPECT_EQ(found.failures.size(), 3U);
  EXPECT_EQ(found.skipped, 2);
}

TEST_F(FaultyModes, ACheckWithoutAContextIs5WithALine) {
  for (const char* fault : {"context:exit", "context:crash"}) {
    const Result result = run(check_, with_fault(fault));
    EXPECT_EQ(result.code, 5) << result.err;
    EXPECT_EQ(complaints(result), 1) << result.err;
    EXPECT_NE(result.err.find("three workers in a row"), std::string::npos) << result.err;
  }
}

TEST_F(FaultyModes, ACheckThatIsInterruptedEndsItsProcessAndTellsWhatItHas) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove(sign_);
    Process process(folder_, check_, once("hang:naive"));
    await_fault(process);
    const std::vector<pid_t> workers = process.children();
    ASSERT_FALSE(workers.empty());
    process.signal(signal);
    const Result result = process.wait();
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_NE(result.out.find("interrupted"), std::string::npos) << result.out;
    for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "an orphan";
  }
}

// What --bench printed of each benchmark, by "<problem>/<rival>": the error, or nothing.
std::map<std::string, std::string> errors(const Result& result) {
  std::map<std::string, std::string> errors;
  const json out = json::parse(result.out);
  for (const json& entry : out.at("benchmarks")) {
    const auto name = entry.at("name").get<std::string>();
    errors[name.substr(0, name.find("/iter"))] = entry.value("error_message", std::string());
  }
  return errors;
}

TEST_F(FaultyModes, ABenchFailsTheArmThatRanAndTimesTheOthers) {
  const std::string patience = std::to_string(static_cast<int>(patience_s()) + 1);
  const Words bench = {"--bench",    "--device", kPocl,      "--variants", "naive",    "--json",
                       "--patience", patience,   "--budget", "4s",         "--problem"};
  const std::string first = "fwd_m3_k64_n64_r4_f32_acc";
  const std::string second = "fwd_m5_k64_n64_r4_f32_acc";
  const std::string both = first + "," + second;
  const std::string broken = first + "/naive";
  const std::string others[] = {first + "/default", first + "/split", first + "/launch",
                                first + "/openblas", second + "/naive"};
  const std::string reproduce =
      "\n  lora-bench --bench --device '" + kPocl + "' --variants naive --problem " + first + "\n";
  const std::pair<std::string, std::string> faults[] = {
      {"exit:naive", "runtime: the worker process ended with exit code 0"},
      {"abort:naive", "runtime: the worker process ended by signal 6"},
      {"hang:naive", "timeout: no end within "}};
  for (const auto& [fault, how] : faults) {
    std::filesystem::remove(sign_);
    const Result result = run(bench + Words{both}, once(fault));
    EXPECT_EQ(result.code, 5) << fault << "\n" << result.err;
    std::map<std::string, std::string> found = errors(result);
    EXPECT_EQ(found[broken].find(how), 0U) << found[broken];
    std::string said = broken;
    said.append(": ").append(how);
    EXPECT_NE(result.err.find(said), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(reproduce), std::string::npos) << result.err;
    for (const std::string& arm : others) ASSERT_TRUE(found.contains(arm)) << result.out;
    found.erase(first + "/naive");
    for (const auto& [name, error] : found) {
      // A busy machine may leave no round that nothing disturbed.
      EXPECT_TRUE(error.empty() || error.starts_with("skipped: every round")) << name << error;
    }
  }
}

TEST_F(FaultyModes, ABenchWithoutAContextIs5WithALine) {
  const Words bench = {"--bench", "--device", kPocl, "--problem", "m3_k64_n64_r4_f32_acc"};
  const Result result = run(bench, with_fault("context:exit"));
  EXPECT_EQ(result.code, 5) << result.err;
  EXPECT_EQ(complaints(result), 1) << result.err;
  EXPECT_NE(result.err.find("three workers in a row"), std::string::npos) << result.err;
}

// Every mode asks itself which devices there are.
TEST_F(FaultyModes, NoModeTakesTheExitCodeOfADriver) {
  for (const Words& words : {Words{"--list"}, check_, Words{"--sweep", "--quick"}, Words{"--bench"},
                             Words{"--pick", "m3_k64_n64_r4_f32_acc"}}) {
    const Result result = run(words, with_fault("platform:exit"));
    EXPECT_EQ(result.code, 5) << testing::PrintToString(words) << "\n" << result.err;
    EXPECT_EQ(complaints(result), 1) << result.err;
    EXPECT_NE(result.err.find("called exit()"), std::string::npos) << result.err;
  }
}

TEST_F(FaultyModes, ABenchThatIsInterruptedEndsItsProcess) {
  const Words bench = {
      "--bench", "--device", kPocl, "--variants", "naive", "--problem", "m3_k64_n64_r4_f32_acc"};
  Process process(folder_, bench, once("hang:naive"));
  await_fault(process);
  const std::vector<pid_t> workers = process.children();
  ASSERT_FALSE(workers.empty());
  process.signal(SIGTERM);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "an orphan";
}

}  // namespace
}  // namespace loratune
