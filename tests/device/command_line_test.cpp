// lora-bench itself, as a user runs it: exit codes, the one line that says why, and what becomes of
// its files when it is interrupted or killed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "device/process.h"
#include "harness/record/recording.h"
#include "loratune/dispatch/tuned_file.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr const char* kNoDevice = "OCL_ICD_VENDORS=/nonexistent";
const std::string kPocl = "Portable Computing Language";
const Words kOneProblem = {"--features", "64", "--tokens", "3", "--ranks", "4", "--dtypes", "f32"};

class CommandLine : public testing::Test {
 protected:
  Result run(const Words& words, const Words& environment = {}) {
    return Process(folder_, words, environment).wait();
  }

  // Ends with this code and just one line that says why.
  void expect_failure(int code, const Words& words, const Words& environment = {}) {
    const Result result = run(words, environment);
    EXPECT_EQ(result.code, code) << testing::PrintToString(words) << "\n" << result.err;
    EXPECT_EQ(complaints(result), 1) << testing::PrintToString(words) << "\n" << result.err;
  }

  void expect_good(const Words& words, const Words& environment = {}) {
    const Result result = run(words, environment);
    EXPECT_EQ(result.code, 0) << testing::PrintToString(words) << "\n" << result.err;
    EXPECT_EQ(complaints(result), 0) << result.err;
  }

  std::string file(const std::string& name) const { return read_bytes(folder_ / name); }

  TemporaryFolder folder_;
};

TEST_F(CommandLine, HelpIsGood) {
  const Result result = run({"--help"});
  EXPECT_EQ(result.code, 0);
  EXPECT_NE(result.out.find("--sweep"), std::string::npos);
  EXPECT_EQ(result.err, "");
}

TEST_F(CommandLine, BadInputIs2WithOneLine) {
  expect_failure(2, {});
  expect_failure(2, {"--no-such-option"});
  expect_failure(2, {"--list", "--check"});
  expect_failure(2, {"--worker"});
  expect_failure(2, {"--pick", "nonsense"});
  expect_failure(2, {"--sweep", "--budget", "soon"});
  expect_failure(2, {"--problems", "missing", "--list"});
  for (const char* mode : {"--check", "--sweep"}) {
    for (const Words& words :
         {Words{"--device", "no such device"}, Words{"--device", "99"},
          Words{"--variants", "no_such_variant"}, Words{"--dtypes", "f64"}, Words{"--ranks", "0"},
          Words{"--ranks", "1025"}, Words{"--features", "0"}, Words{"--tokens", "2147483648"},
          Words{"--in", "2147483648"}, Words{"--variants", "rank_specialized", "--ranks", "300"}}) {
      expect_failure(2, Words{mode} + words);
    }
  }
  expect_failure(2, {"--sweep", "--tokens", "0,1"});  // no rows: nothing to time
  expect_failure(2, {"--sweep", "--record", "r.jsonl", "--problem", "m0_k8_n8_r4_f32_acc"});
  EXPECT_EQ(file("tuned.json"), "") << "a refused sweep wrote a file";
}

TEST_F(CommandLine, OutputThatIsLostIs2) {
  for (const Words& words : {Words{"--list"}, Words{"--check", "--variants", "naive"} + kOneProblem,
                             Words{"--bench", "--budget", "1s"} + kOneProblem}) {
    const Words shell = {"-c", "exec \"$0\" \"$@\" >/dev/full", LORATUNE_BENCH};
    const Result result = Process(folder_, shell + words, {}, "/bin/sh").wait();
    EXPECT_EQ(result.code, 2) << testing::PrintToString(words) << "\n" << result.err;
    EXPECT_EQ(complaints(result), 1) << testing::PrintToString(words) << "\n" << result.err;
  }
}

TEST_F(CommandLine, AConfigThatIsNoneIs2) {
  const Words check = Words{"--check", "--variants", "naive"} + kOneProblem;
  expect_failure(2, check + Words{"--config", "WG_M=3"});
  expect_failure(2, check + Words{"--config", "WG_M=3 WG_N=8 UNROLL=1 A_TRANSPOSED=0"});
  expect_failure(2, check + Words{"--strides", "1,2,3"});
  expect_failure(2, check + Words{"--strides", "1,2,3,-4"});
  expect_failure(2, check + Words{"--strides", "0,9223372036854775807,0,0"});
  expect_failure(2, {"--check", "--variants", "naive", "--cases", "1", "--strides", "0,1,0,1"});
  expect_failure(2, check + Words{"--full"});
}

TEST_F(CommandLine, ATunedFileThatIsNoneIs2) {
  const std::string sound = read_bytes(LORATUNE_SOURCE_DIR "/tests/data/fictional.json");
  ASSERT_FALSE(sound.empty());
  const Words pick = {"--pick", "m1_k64_n64_r4_f32_acc", "--tuned"};
  write_bytes(folder_ / "good.json", sound);
  expect_good(pick + Words{"good.json"}, {kNoDevice});
  expect_failure(2, pick + Words{"missing.json"});
  expect_failure(2, pick + Words{"."});
  const std::pair<const char*, std::string> contents[] = {
      {"empty", ""},
      {"truncated", sound.substr(0, sound.size() / 2)},
      {"one_byte_short", sound.substr(0, sound.find_last_of('}'))},
      {"nested", std::string(5'000'000, '[')},
      {"foreign", R"({"schema": "another/tool", "version": 1})"},
      {"later_version", R"({"schema": "loratune/tuned", "version": 2})"},
      {"binary", std::string(1000, '\xff')}};
  for (const auto& [name, content] : contents) {
    write_bytes(folder_ / name, content);
    expect_failure(2, pick + Words{name});
  }
}

TEST_F(CommandLine, MergesTunedFilesWithoutADevice) {
  const std::string one = read_bytes(LORATUNE_SOURCE_DIR "/tests/data/fictional.json");
  std::string other = one;
  write_bytes(folder_ / "one.json", one);
  expect_good({"--merge", "one.json", "one.json", "--out", "both.json"}, {kNoDevice});
  const auto both = load_tuned_file(folder_ / "both.json").file;
  ASSERT_TRUE(both);
  EXPECT_EQ(both->records.size(), parse_tuned_file(one).file.value().records.size());
  for (std::size_t at = 0; (at = other.find(std::string(64, '0'), at)) != std::string::npos;) {
    other[at] = '1';  // another source of each kernel
  }
  write_bytes(folder_ / "other.json", other);
  const std::string before = file("both.json");
  expect_failure(2, {"--merge", "one.json", "other.json", "--out", "both.json"});
  expect_failure(2, {"--merge", "one.json", "missing.json", "--out", "both.json"});
  EXPECT_EQ(file("both.json"), before);
  write_bytes(folder_ / "precious", "my thesis");
  expect_failure(2, {"--merge", "one.json", "--out", "precious"});
  EXPECT_EQ(file("precious"), "my thesis");
}

TEST_F(CommandLine, AnOutThatCannotBeWrittenIs2BeforeAnyWork) {
  const auto sweep = [&](const std::string& out) {
    expect_failure(2, Words{"--sweep", "--device", kPocl, "--out", out} + kOneProblem);
    EXPECT_EQ(file("stdout"), "");
    EXPECT_FALSE(std::filesystem::exists(folder_ / (out + ".journal")));
  };
  sweep("no/such/folder/tuned.json");
  sweep(folder_.path().string());
  sweep("/proc/tuned.json");
  if (geteuid() == 0) return;  // whom no permission stops
  const auto locked = folder_ / "locked";
  std::filesystem::create_directory(locked);
  std::filesystem::permissions(locked, std::filesystem::perms{0555});
  sweep((locked / "tuned.json").string());
  std::filesystem::permissions(locked, std::filesystem::perms{0755});
}

TEST_F(CommandLine, AnOutThatIsTheJournalTooIs2BeforeAnyWork) {
  for (const char* journal : {"new.json", "./new.json"}) {
    expect_failure(2, Words{"--sweep", "--out", "new.json", "--journal", journal} + kOneProblem,
                   {kNoDevice});
  }
  expect_failure(2, {"--replay", "./new.json", "--out", "new.json"}, {kNoDevice});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new.json"));
}

TEST_F(CommandLine, ALimitOnTheSizeOfFilesIsToldAndGoneOnFrom) {
  const Words sweep = Words{"--sweep", "--device", kPocl, "--budget", "1s"} + kOneProblem;
  const Words shell = {"-c", "ulimit -f 1; exec \"$0\" \"$@\"", LORATUNE_BENCH};
  const Result limited = Process(folder_, shell + sweep, {}, "/bin/sh").wait();
  EXPECT_EQ(limited.code, 2) << limited.err;
  EXPECT_EQ(complaints(limited), 1) << limited.err;
  EXPECT_GT(file("tuned.json.journal").size(), 0U) << "as much of it as could be written";
  EXPECT_EQ(run(sweep + Words{"--resume"}).code, 0) << "its header was cut off";
}

TEST_F(CommandLine, AnOutThatIsNoTunedFileIsLeftAsItIs) {
  for (const std::string& precious : {std::string("my thesis\n"), std::string(R"({"a": 1})")}) {
    write_bytes(folder_ / "precious", precious);
    expect_failure(2, Words{"--sweep", "--device", kPocl, "--out", "precious", "--budget", "1s"} +
                          kOneProblem);
    EXPECT_EQ(file("precious"), precious);
  }
}

TEST_F(CommandLine, AJournalThatIsNoneIs2) {
  const Words sweep = Words{"--sweep", "--device", kPocl, "--resume"} + kOneProblem;
  expect_failure(2, {"--replay", "missing"});
  expect_failure(2, sweep);
  write_bytes(folder_ / "tuned.json.journal", "what?\n");
  expect_failure(2, sweep);
  expect_failure(2, {"--replay", "tuned.json.journal"});
  EXPECT_EQ(file("tuned.json.journal"), "what?\n");
  write_bytes(folder_ / "tuned.json.journal", "");
  expect_failure(2, {"--replay", "tuned.json.journal"});
  EXPECT_EQ(run(sweep + Words{"--budget", "1s"}).code, 0);  // nothing was in it, so it begins
}

TEST_F(CommandLine, WithoutADeviceWhatNeedsOneIs77AndTheRestWorks) {
  expect_failure(77, Words{"--check"} + kOneProblem, {kNoDevice});
  expect_failure(77, Words{"--sweep"} + kOneProblem, {kNoDevice});
  expect_good({"--list"}, {kNoDevice});
  const Result pick = run({"--pick", "m1_k64_n64_r4_f32_acc", "--json"}, {kNoDevice});
  EXPECT_EQ(pick.code, 0) << pick.err;
  EXPECT_EQ(complaints(pick), 0) << pick.err;
  EXPECT_EQ(json::parse(pick.out).at("shape_match"), "fallback");
  EXPECT_EQ(json::parse(pick.out).at("device_match"), "no_device");
  expect_failure(77, {"--pick", "m1_k64_n64_r4_f32_acc", "--device", "NVIDIA"}, {kNoDevice});
  // Bad input is told before the missing device.
  expect_failure(2, {"--check", "--ranks", "0"}, {kNoDevice});
  expect_failure(2, {"--sweep", "--variants", "no_such_variant"}, {kNoDevice});
}

TEST_F(CommandLine, ListIsJsonWhenAsked) {
  const Result result = run({"--list", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const json list = json::parse(result.out);
  EXPECT_GE(list.at("devices").size(), 1U);
  EXPECT_EQ(list.at("variants").size(), variants().size());
  EXPECT_EQ(list.at("problems").size(), 120U);
}

TEST_F(CommandLine, ACheckSaysThatItsLimitLeavesNothing) {
  const Result result = run({"--check", "--device", kPocl, "--variants", "naive", "--max-flops",
                             "1e-9", "--problem", "m3_k64_n64_r4_f32_acc"});
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_NE(result.err.find("than --max-flops allows"), std::string::npos) << result.err;
}

TEST_F(CommandLine, CheckPrintsATableAndJson) {
  const Words check = Words{"--check", "--device", kPocl, "--variants", "naive"} + kOneProblem;
  const Result table = run(check);
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("\nnaive"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("\n1 cases, 0 failed, 0 skipped\n"), std::string::npos) << table.out;
  const Result as_json = run(check + Words{"--json"});
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  const json rows = json::parse(as_json.out);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].at("cases"), 1);
  EXPECT_EQ(rows[0].at("failures"), json::array());
  EXPECT_GT(rows[0].at("error_over_bound"), 0);
}

// Sweeps that are real, if small. Groups are by rank, so that the first is decided while others
// run.
class Sweeping : public CommandLine {
 protected:
  static Words sweep(const std::string& ranks, const std::string& budget) {
    return {"--sweep", "--device", kPocl,      "--features", "64",       "--tokens", "1,4",
            "--ranks", ranks,      "--dtypes", "f32",        "--budget", budget};
  }

  // Waits until the sweep's journal answers a question that begins so, or the sweep has ended.
  bool journal_reaches(const Process& sweep, const std::string& question) const {
    while (sweep.running()) {
      if (file("tuned.json.journal").find("\"ask\":\"" + question) != std::string::npos)
        return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  // Programs that were built before the worker wanted them, as the journal has it.
  int built_ahead() const {
    int built = 0;
    std::istringstream journal(file("tuned.json.journal"));
    for (std::string line; std::getline(journal, line);) {
      if (line.find("{\"ask\":\"ahead ") == std::string::npos) continue;
      const json entry = json::parse(line.substr(line.find('{')));
      for (const json& one : entry.at("reply").at("built_s")) built += one > 0.0 ? 1 : 0;
    }
    return built;
  }

  TunedFile tuned(const std::string& name) const {
    ParsedTunedFile parsed = load_tuned_file(folder_ / name);
    EXPECT_TRUE(parsed.file) << parsed.error;
    return parsed.file.value_or(TunedFile{});
  }
};

TEST_F(CommandLine, RecordsEveryConfigGoesOnAndSearchesWhatItRecorded) {
  const auto record = [&](const Words& words) {
    expect_good(Words{"--sweep", "--record", "r.jsonl", "--device", kPocl} + words);
    std::vector<json> lines;
    std::istringstream text(file("r.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  };
  const Words one = {"--problem", "m3_k64_n64_r4_f32_acc", "--variants", "register_tiled"};
  const Words other = {"--problem", "m16_k64_n64_r16_f32_acc", "--variants", "register_tiled"};
  write_bytes(folder_ / "r.jsonl", "");  // as mktemp leaves it
  // The header and the default, which has rounds though nothing is beside it.
  const std::vector<json> alone = record(one + Words{"--configs", "1"});
  ASSERT_EQ(alone.size(), 2U);
  EXPECT_EQ(alone[1].at("outcome"), "correct");
  EXPECT_GT(alone[1].at("ns").size(), 2U);
  for (const json& ns : alone[1].at("ns")) EXPECT_GT(ns.get<double>(), 0);

  const std::vector<json> both = record(other + Words{"--configs", "40"});
  EXPECT_GT(both.size(), 3U);
  EXPECT_LE(both.size(), 2U + 40U);
  EXPECT_EQ(both[1], alone[1]);
  EXPECT_EQ(record(other), both) << "what is recorded is not timed again";
  expect_good({"--replay", "r.jsonl", "--strategy", "exhaustive"}, {kNoDevice});
  const Words naive = {"--problem", "m3_k64_n64_r4_f32_acc", "--variants", "naive", "--configs",
                       "2"};
  expect_failure(2, Words{"--sweep", "--record", "r.jsonl", "--device", kPocl} + naive);

  // The default comes first, though it is not of the variants asked for.
  ASSERT_TRUE(std::filesystem::remove(folder_ / "r.jsonl"));
  const std::vector<json> with_default = record(naive);
  ASSERT_GT(with_default.size(), 2U);
  EXPECT_EQ(with_default[1].at("variant"), "register_tiled");
  EXPECT_EQ(with_default[2].at("variant"), "naive");
}

// The second waits for the device, and what the first has written meanwhile stays.
TEST_F(CommandLine, TwoRecordsOfOneFileKeepBoth) {
  const auto record = [](const std::string& m) {
    return Words{"--sweep",
                 "--record",
                 "r.jsonl",
                 "--device",
                 kPocl,
                 "--configs",
                 "2",
                 "--variants",
                 "naive",
                 "--problem",
                 m + "_k64_n64_r4_f32_acc"};
  };
  Process first(folder_, record("m1"), {});
  Process second(folder_, record("m3"), {});
  for (Process* one : {&first, &second}) {
    const Result result = one->wait();
    EXPECT_EQ(result.code, 0) << result.err;
  }
  EXPECT_EQ(read_recording(folder_ / "r.jsonl").problems.size(), 2U);
  expect_failure(2, record("m4") + Words{"--cache", "rotate"});
  EXPECT_EQ(read_recording(folder_ / "r.jsonl").problems.size(), 2U);
}

TEST_F(CommandLine, ARecordThatCannotBeWrittenIsToldBeforeTheWork) {
  const Result result = run({"--sweep", "--record", "absent/r.jsonl", "--device", kPocl});
  EXPECT_EQ(result.code, 2) << "the default grid would take an hour";
}

TEST_F(CommandLine, ARecordThatIsInterruptedKeepsItsProblems) {
  Words words = {"--sweep", "--record", "r.jsonl", "--device", kPocl, "--configs", "4"};
  for (int m = 1; m <= 32; ++m) {  // more than are recorded before a signal arrives
    words = words + Words{"--problem", "m" + std::to_string(m) + "_k64_n64_r4_f32_acc"};
  }
  Process process(folder_, words, {});
  while (!std::filesystem::exists(folder_ / "r.jsonl")) {
    ASSERT_TRUE(process.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  process.signal(SIGINT);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  const std::size_t kept = read_recording(folder_ / "r.jsonl").problems.size();
  EXPECT_GE(kept, 1U);
  EXPECT_LT(kept, 32U);
  EXPECT_NE(result.err.find(" are missing: run it again"), std::string::npos) << result.err;
  expect_good({"--replay", "r.jsonl", "--strategy", "random"}, {kNoDevice});
}

TEST_F(Sweeping, WritesAFileThatPickAnswersFromAndAReplayMakesAgain) {
  const Result swept = run(sweep("4", "5s") + Words{"--builders", "2"});
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_EQ(complaints(swept), 0) << swept.err;
  const TunedFile made = tuned("tuned.json");
  ASSERT_EQ(made.records.size(), 2U);
  for (const Record& record : made.records) {
    EXPECT_GT(record.time_ns, 0);
    EXPECT_LE(record.error_over_bound, 1);
    const Result pick = run({"--pick", to_string(record.problem), "--tuned", "tuned.json",
                             "--device", kPocl, "--json"});
    ASSERT_EQ(pick.code, 0) << pick.err;
    const json answer = json::parse(pick.out);
    EXPECT_EQ(answer.at("shape_match"), "exact");
    EXPECT_EQ(answer.at("device_match"), "exact");
    EXPECT_EQ(answer.at("variant"), record.variant);
    for (const auto& [name, value] : record.config) EXPECT_EQ(answer.at("config").at(name), value);
  }
  expect_good({"--replay", "tuned.json.journal", "--out", "again.json"}, {kNoDevice});
  EXPECT_EQ(file("again.json"), file("tuned.json"));
  EXPECT_GT(built_ahead(), 0);

  // A sweep of another problem keeps these records, and the journal.
  const std::string journal = file("tuned.json.journal");
  const Result other = run(sweep("8", "1s") + Words{"--builders", "0"});
  ASSERT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(built_ahead(), 0);
  EXPECT_EQ(tuned("tuned.json").records.size(), 4U);
  EXPECT_EQ(file("tuned.json.journal.old"), journal);
}

TEST_F(Sweeping, OfBatchInvariantChoosesOnceForAllRowCounts) {
  const Result swept = run(sweep("4", "6s") + Words{"--mode", "batch_invariant"});
  ASSERT_EQ(swept.code, 0) << swept.err;
  const TunedFile made = tuned("tuned.json");
  ASSERT_EQ(made.records.size(), 2U);
  for (const Record& record : made.records) {
    EXPECT_EQ(record.mode, Mode::batch_invariant);
    EXPECT_EQ(record.variant, made.records[0].variant);
    EXPECT_EQ(record.config, made.records[0].config);
    EXPECT_EQ(record.reason, made.records[0].reason);
    EXPECT_GT(record.time_ns, 0);
    EXPECT_LE(record.error_over_bound, 1);
  }
  EXPECT_EQ(made.records[0].problem.m, 1);
  EXPECT_EQ(made.records[1].problem.m, 4);
  for (const char* key : {"m1_k64_n64_r4_f32", "m3_k64_n64_r4_f32", "m999_k64_n64_r4_f32"}) {
    const Result pick = run({"--pick", std::string(key) + "_acc", "--tuned", "tuned.json",
                             "--device", kPocl, "--mode", "batch_invariant", "--json"});
    ASSERT_EQ(pick.code, 0) << pick.err;
    const json answer = json::parse(pick.out);
    EXPECT_NE(answer.at("shape_match"), "fallback") << key;
    EXPECT_EQ(answer.at("variant"), made.records[0].variant);
    for (const auto& [name, value] : made.records[0].config) {
      EXPECT_EQ(answer.at("config").at(name), value) << key;
    }
  }
  expect_good({"--replay", "tuned.json.journal", "--out", "again.json"}, {kNoDevice});
  EXPECT_EQ(file("again.json"), file("tuned.json"));
}

TEST_F(Sweeping, ShardsMergeToWhatTheWholeHolds) {
  for (const char* shard : {"1/2", "2/2"}) {
    const Result part = run(sweep("4", "3s") + Words{"--shard", shard});
    ASSERT_EQ(part.code, 0) << part.err;
  }
  const Words journals = {"tuned.json.1-of-2.journal", "tuned.json.2-of-2.journal"};
  expect_good(Words{"--merge"} + journals + Words{"--out", "merged.json"}, {kNoDevice});
  const TunedFile merged = tuned("merged.json");
  EXPECT_EQ(merged.records, tuned("tuned.json").records) << "to which each shard added its own";
  ASSERT_EQ(merged.records.size(), 2U);
  EXPECT_EQ(merged.records[0].problem.m, 1);
  EXPECT_EQ(merged.records[1].problem.m, 4);
  expect_good(Words{"--merge", "merged.json"} + journals + Words{"--out", "again.json"});
  EXPECT_EQ(file("again.json"), file("merged.json"));
  expect_failure(2, sweep("4", "3s") + Words{"--shard", "1/3"});  // of two problems
}

TEST_F(Sweeping, ASecondSuiteWaitsForTheDeviceOrSaysThatItIsTaken) {
  Process first(folder_, sweep("4,8,16,32", "600s"), {});  // it is killed long before
  ASSERT_TRUE(journal_reaches(first, "build fwd_r4"));
  TemporaryFolder other;
  const Words lock = {"LORATUNE_LOCK=" + folder_.path().string()};
  const auto second = [&](const std::string& wait) {
    return Process(other, sweep("4", "1s") + Words{"--lock-wait", wait}, lock);
  };
  const Result refused = second("0s").wait();
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_NE(refused.err.find("another suite (process "), std::string::npos) << refused.err;
  EXPECT_EQ(complaints(refused), 1);
  EXPECT_FALSE(std::filesystem::exists(other / "tuned.json.journal"));
  Process waits(other, sweep("4", "1s"), lock);
  while (read_bytes(other / "stderr").find("waiting: another suite") == std::string::npos) {
    ASSERT_TRUE(waits.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  first.signal(SIGKILL);  // a lock ends with its holder
  EXPECT_EQ(waits.wait().code, 0);
}

TEST_F(Sweeping, WhatARecordWaitsForTheDeviceIsNoPartOfItsBudget) {
  Process first(folder_, sweep("4,8,16,32", "600s"), {});  // it is killed long before
  ASSERT_TRUE(journal_reaches(first, "build fwd_r4"));
  TemporaryFolder other;
  Process waits(other,
                {"--sweep", "--record", "r.jsonl", "--device", kPocl, "--configs", "1",
                 "--variants", "naive", "--problem", "m3_k64_n64_r4_f32_acc", "--budget", "0.2s"},
                {"LORATUNE_LOCK=" + folder_.path().string()});
  while (read_bytes(other / "stderr").find("waiting: another suite") == std::string::npos) {
    ASSERT_TRUE(waits.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  first.signal(SIGKILL);
  const Result result = waits.wait();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read_recording(other / "r.jsonl").problems.size(), 1U) << result.err;
}

TEST_F(Sweeping, InterruptedGives130AndAFileOfWhatIsDecided) {
  Process process(folder_, sweep("4,8,16,32", "60s"), {});
  ASSERT_TRUE(journal_reaches(process, "build fwd_r8"));
  process.signal(SIGINT);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  const TunedFile made = tuned("tuned.json");
  // On a busy machine more may be decided by the time that the signal arrives.
  ASSERT_GE(made.records.size(), 2U);
  EXPECT_EQ(made.records[0].problem.rank, 4);
  expect_good({"--pick", to_string(made.records[0].problem), "--tuned", "tuned.json"});
}

// As timeout(1) ends it: the process, and then its whole group.
TEST_F(Sweeping, EndedTogetherWithItsWorkersLeavesTheSameFile) {
  Process process(folder_, sweep("4,8,16,32", "60s"), {});
  ASSERT_TRUE(journal_reaches(process, "build fwd_r8"));
  const auto workers = process.children();
  ASSERT_FALSE(workers.empty());
  process.signal(SIGTERM);
  for (const pid_t worker : workers) kill(worker, SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  process.signal(SIGTERM);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  EXPECT_GE(tuned("tuned.json").records.size(), 2U);
}

TEST_F(Sweeping, KilledLosesNothingThatWasDecided) {
  const Words words = sweep("4,8", "8s");
  {
    Process process(folder_, words, {});
    ASSERT_TRUE(journal_reaches(process, "build fwd_r8"));
    const auto workers = process.children();
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait().code, 128 + SIGKILL);
    ASSERT_FALSE(workers.empty());
    for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "an orphan";
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tuned.json"));
  std::filesystem::copy_file(folder_ / "tuned.json.journal", folder_ / "at_the_kill");
  write_bytes(folder_ / "tuned.json.journal", file("at_the_kill") + "0bad 77 {\"ask\":\"torn");
  expect_good({"--replay", "at_the_kill", "--out", "killed.json"}, {kNoDevice});
  const TunedFile before = tuned("killed.json");
  ASSERT_GE(before.records.size(), 2U);

  const Result resumed = run(words + Words{"--resume"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(file("tuned.json.journal").find(file("at_the_kill")), 0U) << "the journal goes on";
  const TunedFile after = tuned("tuned.json");
  EXPECT_EQ(after.records.size(), 4U);
  for (const Record& record : before.records) {
    EXPECT_NE(std::find(after.records.begin(), after.records.end(), record), after.records.end())
        << to_string(record.problem);
  }
  // Other options are another sweep.
  expect_failure(2, sweep("4,8", "9s") + Words{"--resume"});
}

}  // namespace
}  // namespace loratune
