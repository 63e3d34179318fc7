// --bench, --verify and what --forward picks, as a user runs them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "device/environment.h"
#include "device/faulty_driver.h"
#include "device/process.h"
#include "harness/base/device_lock.h"
#include "harness/base/shell_word.h"
#include "harness/timing/weight_ring.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/tuned_file.h"
#include "test_engine.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

const std::string kTiny = "m3_k64_n64_r4_f32_acc";

struct Ran {
  int code;
  std::string out, err;
};

// What a shell does with the line.
Ran run_line(const TemporaryFolder& folder, const std::string& line) {
  const std::string redirected =
      line + " >" + (folder / "out").string() + " 2>" + (folder / "err").string();
  const int status = std::system(redirected.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_bytes(folder / "out"),
          read_bytes(folder / "err")};
}

Ran lora_bench(const TemporaryFolder& folder, const std::string& arguments,
               const std::string& environment = "") {
  return run_line(
      folder, environment + LORATUNE_BENCH " --device 'Portable Computing Language' " + arguments);
}

// A file of one record: this variant's default config for the problem.
TunedFile file_of_a_record(const std::string& key, const std::string& variant_name) {
  const DeviceInfo& device = test_device().info;
  const Variant& variant = *find_variant(variant_name);
  std::string why;
  TunedFile file;
  file.tool = {"lora-bench", "0.1.0", "unknown"};
  file.devices["d0"] = tuned_device(device);
  file.kernels[variant_name] = {std::string(variant.source_sha256), variant.revision};
  Record record;
  record.device = "d0";
  record.problem = *parse_problem(key, why);
  record.variant = variant_name;
  record.config = named_config(variant.space, variant.default_config(record.problem, device));
  record.time_ns = 10'000;
  record.default_ns = 20'000;
  record.speedup = record.speedup_lo = record.speedup_hi = 2;
  record.level = 0.99;
  record.rounds = 40;
  record.seen = 0.5;
  record.reason = "measured";
  file.records = {record};
  return file;
}

// The variables with which the record's kernel cannot run.
std::string fault_of_run(const Record& record) {
  const Variant& variant = *find_variant(record.variant);
  const DeviceInfo& device = test_device().info;
  const LaunchPlan plan =
      variant.plan(record.problem, variant.default_config(record.problem, device), device);
  std::string variables;
  for (const std::string& variable : with_fault("run:" + plan.launches.at(0).kernel)) {
    variables.append(variable).append(" ");
  }
  return variables;
}

TEST(Forward, HeedsTheMode) {
  const TemporaryFolder folder;
  const std::string file = folder / "t.json";
  TunedFile tuned = file_of_a_record("m3_k48_n40_r4_f32_acc", "naive");
  tuned.records[0].mode = Mode::deterministic;
  ASSERT_EQ(write_tuned_file(file, tuned), "");
  const std::string adapter = LORATUNE_SOURCE_DIR "/tests/data/adapters/peft_plain";
  const std::string module = "model.layers.0.self_attn.q_proj";
  std::string forward = "--forward --adapter " + adapter + " --module " + module;
  forward.append(" --x ").append(adapter).append("/expected/").append(module);
  forward.append(".safetensors --tuned ").append(file).append(" --out ").append(folder / "y");
  const std::string fault = fault_of_run(tuned.records[0]);
  EXPECT_EQ(lora_bench(folder, forward, fault).code, 0) << "of another mode";
  EXPECT_EQ(lora_bench(folder, forward + " --mode deterministic", fault).code, 5);
}

TEST(Bench, AFilterThatMatchesNothingIsAnError) {
  const TemporaryFolder folder;
  const Ran ran = lora_bench(folder, "--bench --problem " + kTiny + " --benchmark_filter=nothing");
  EXPECT_EQ(ran.code, 2) << ran.err;
}

TEST(Bench, WrongFlagsAreErrors) {
  const TemporaryFolder folder;
  for (const std::string flag :
       {"--benchmark_format=xml", "--benchmark_foo=1", "--benchmark_out=/nonexistent/f"}) {
    std::string arguments = "--bench --problem " + kTiny;
    arguments.append(" ").append(flag);
    EXPECT_EQ(lora_bench(folder, arguments).code, 2) << flag;
  }
  EXPECT_EQ(lora_bench(folder, "--list --benchmark_filter=x").code, 2);
}

// Google Benchmark reads a variable for each flag.
TEST(Bench, VariablesAreCheckedAsFlagsAre) {
  const TemporaryFolder folder;
  const std::string bench = "--bench --budget 1s --benchmark_filter=launch --problem " + kTiny;
  for (const std::string variable :
       {"BENCHMARK_FORMAT=xml", "BENCHMARK_OUT=/nonexistent/f", "BENCHMARK_OUT=/dev/full",
        "BENCHMARK_REPETITIONS=0", "BENCHMARK_FILTER="}) {
    EXPECT_EQ(lora_bench(folder, bench, variable + " ").code, 2) << variable;
  }
  const std::filesystem::path out = folder / "out.json";
  const Ran ran = lora_bench(folder, bench, "BENCHMARK_OUT=" + out.string() + " ");
  EXPECT_TRUE(ran.code == 0 || ran.code == 3) << ran.err;
  EXPECT_EQ(json::parse(read_bytes(out)).at("benchmarks").size(), 1U);
}

TEST(Bench, ValuesThatWouldMeasureNothingAreErrors) {
  const TemporaryFolder folder;
  const std::pair<const char*, const char*> flags[] = {
      {"--benchmark_repetitions=0", "a whole number from 1"},
      {"--benchmark_repetitions=-5", "a whole number from 1"},
      {"--benchmark_repetitions=two", "a whole number from 1"},
      {"--benchmark_repetitions", "wants a value"},
      {"--benchmark_min_time=abc", "a number of seconds"},
      {"--benchmark_min_time=0", "a number of seconds"},
      {"--benchmark_min_time=100x", "takes no number of iterations, but of seconds"},
      {"--benchmark_min_warmup_time=-1", "a number of seconds"},
      {"--benchmark_color=purple", "no such value"},
      {"--benchmark_list_tests=maybe", "no such value"},
      {"--benchmark_context=device=x", "is one of --bench's own"},
      {"--benchmark_context=mine=1,date=x", "is one of --bench's own"},
      {"--benchmark_context=mine=1,mine=2", "stands twice"},
      {"--benchmark_context=mine", "wants key=value"},
      {"--benchmark_list_tests --json", "in no other format"},
      {"--benchmark_list_tests --benchmark_out=names", "measures nothing"}};
  for (const auto& [flag, why] : flags) {
    const Ran ran = lora_bench(folder, "--bench --problem " + kTiny + " " + flag);
    EXPECT_EQ(ran.code, 2) << flag;
    EXPECT_NE(ran.err.find(why), std::string::npos) << flag << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
  const Ran names = lora_bench(folder, "--bench --benchmark_list_tests --problem " + kTiny);
  EXPECT_EQ(names.code, 0) << names.err;
  EXPECT_NE(names.out.find("fwd_" + kTiny + "/default"), std::string::npos) << names.out;
}

TEST(Bench, WhatIsThereStaysUntilThereIsSomethingToWrite) {
  const TemporaryFolder folder;
  const std::string last = folder / "last.json";
  const std::string out = " --benchmark_out=" + last + " --problem " + kTiny;
  ASSERT_EQ(lora_bench(folder, "--bench --benchmark_filter=launch --budget 1s" + out).code % 3, 0);
  const std::string before = read_bytes(last);
  ASSERT_FALSE(before.empty());
  for (const std::string wrong :
       {"--problem nosuch", "--benchmark_filter=typo", "--benchmark_list_tests"}) {
    std::string line = "--bench ";
    EXPECT_NE(lora_bench(folder, line.append(wrong).append(out)).code, 0) << wrong;
    EXPECT_EQ(read_bytes(last), before) << wrong;
  }
  EXPECT_EQ(lora_bench(folder, "--bench --tuned " + last + out).code, 2);
  const std::ptrdiff_t files = folder.files();
  const std::string fresh = folder / "new.json";
  EXPECT_EQ(lora_bench(folder, "--bench --problem nosuch --benchmark_out=" + fresh).code, 2);
  EXPECT_EQ(folder.files(), files);
  EXPECT_EQ(lora_bench(folder, "--bench --benchmark_filter=launch --budget 1s" + out).code % 3, 0);
  EXPECT_NE(read_bytes(last), before) << "its own result is replaced";
}

TEST(Bench, WritesOverItsOwnResultsOnly) {
  const TemporaryFolder folder;
  const auto bench = [&](const std::string& name, const std::string& format) {
    std::string line = "--bench --budget 1s --benchmark_filter=launch --problem " + kTiny;
    line.append(" --benchmark_out=").append(folder / name);
    return lora_bench(folder, line.append(" --benchmark_out_format=").append(format));
  };
  for (const std::string format : {"json", "csv", "console"}) {
    write_bytes(folder / "result", "");
    for (const char* what : {"an empty file", "its own"}) {
      const Ran ran = bench("result", format);
      EXPECT_EQ(ran.code % 3, 0) << what << ran.err;
    }
    EXPECT_NE(read_bytes(folder / "result").find("/launch"), std::string::npos) << format;
  }
  write_bytes(folder / "thesis.md", "mine\n");
  std::filesystem::create_symlink("nowhere", folder / "link");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const std::string name : {"thesis.md", "link", "fifo"}) {
    EXPECT_EQ(bench(name, "json").code, 2) << name;
  }
  EXPECT_EQ(read_bytes(folder / "thesis.md"), "mine\n");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_FALSE(std::filesystem::exists(folder / "nowhere"));
}

TEST(Bench, WhatCannotBeWrittenAtTheEndIs2) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "d");
  const Environment lock("LORATUNE_LOCK", folder.path());
  std::optional<DeviceLock> held(std::in_place, device_place(test_device()), 0);
  Process bench(folder,
                {"--bench", "--device", "Portable Computing Language", "--budget", "1s",
                 "--benchmark_filter=launch", "--problem", kTiny, "--benchmark_out=d/out.json"},
                {});
  while (read_bytes(folder / "stderr").find("waiting: ") == std::string::npos) {
    ASSERT_TRUE(bench.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::filesystem::remove(folder / "d");
  held.reset();
  const Result result = bench.wait();
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_NE(result.err.find("--benchmark_out: d/out.json: cannot"), std::string::npos)
      << result.err;
  EXPECT_NE(result.out.find("/launch"), std::string::npos) << "what was measured is shown";
}

TEST(Bench, AProblemBeyondTheMemoryIsToldAndTheOthersGoOn) {
  const TemporaryFolder folder;
  const std::string huge = "m1000000000_k1000000_n8_r4_f32_acc";
  const std::string bench =
      "--bench --budget 1s --benchmark_filter=default --problem " + huge + "," + kTiny;
  const Ran ran = lora_bench(folder, bench);
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find("fwd_" + huge + ": needs a buffer of"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("lora-bench --bench --device 'Portable Computing Language' --problem "
                         "fwd_" +
                         huge),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.out.find("fwd_" + kTiny + "/default"), std::string::npos) << ran.out;
  EXPECT_EQ(lora_bench(folder, "--bench --budget 1s --problem m0_k64_n64_r4_f32_acc").code, 2);
  for (const std::string mode : {"--sweep", "--sweep --record r"}) {
    std::string arguments = mode;
    arguments.append(" --problem ").append(huge);
    const Ran swept = lora_bench(folder, arguments);
    EXPECT_EQ(swept.code, 2) << mode;
    EXPECT_NE(swept.err.find("needs a buffer of"), std::string::npos) << swept.err;
  }
}

TEST(Bench, JsonHasAllRivalsSideBySideAndNoNan) {
  const TemporaryFolder folder;
  const Ran ran = lora_bench(folder,
                             "--bench --json --budget 1s --benchmark_repetitions=2 "
                             "--benchmark_filter='default|openblas|launch' --cache rotate "
                             "--problem " +
                                 kTiny);
  // 3: the machine was too busy for a single good round, and said so.
  ASSERT_TRUE(ran.code == 0 || ran.code == 3) << ran.err;
  const json out = json::parse(ran.out);  // NaN and Infinity are no JSON: this would throw
  EXPECT_EQ(out.at("context").at("cache"), "rotate");
  std::set<std::string> seen;
  for (const json& entry : out.at("benchmarks")) {
    const auto name = entry.at("name").get<std::string>();
    seen.insert(name.substr(0, name.find("/iter")));
    if (ran.code == 0 && entry.at("run_type") == "iteration") {
      EXPECT_GT(entry.at("wall_ns").get<double>(), 0);
      EXPECT_GT(entry.at("vs_split").get<double>(), 0);
      EXPECT_NE(entry.contains("gb_per_s"), name.find("/launch/") != std::string::npos)
          << "an empty launch moves nothing";
    }
  }
  EXPECT_EQ(seen, (std::set<std::string>{"fwd_" + kTiny + "/default", "fwd_" + kTiny + "/launch",
                                         "fwd_" + kTiny + "/openblas"}));
  EXPECT_NE(ran.err.find("| fwd_" + kTiny), std::string::npos) << "the table";
}

// The name of the column has the unit, and Google Benchmark would write `s` behind a rate.
TEST(Bench, ThePicksOfTheTableAreNanosecondsInNoOtherUnit) {
  const TemporaryFolder folder;
  const std::string name = "dispatch/pick/rule";
  const Ran ran = lora_bench(folder, "--bench --budget 1s --benchmark_filter=" + name);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find(" ns_per_pick\n"), std::string::npos) << ran.out;
  const std::size_t begin = ran.out.find("\n" + name + " ");
  ASSERT_NE(begin, std::string::npos) << ran.out;
  const std::string row = ran.out.substr(begin + 1, ran.out.find('\n', begin + 1) - begin - 1);
  EXPECT_NE(row.back(), 's') << row;
}

TEST(Verify, AFileOfASweepIsGood) {
  const TemporaryFolder folder;
  const std::string file = (folder / "t.json").string();
  ASSERT_EQ(lora_bench(folder, "--sweep --budget 5s --out " + file + " --problem " + kTiny).code,
            0);
  const Ran ran = lora_bench(folder, "--verify " + file + " --json");
  EXPECT_TRUE(ran.code == 0 || ran.code == 3) << ran.out << ran.err;
  EXPECT_EQ(json::parse(ran.out).at("usable_records"), 1);
}

TEST(Verify, ARecordSlowerThanTheDefaultIsFound) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "t.json";
  const TunedFile naive = file_of_a_record("m16_k512_n512_r8_f32_acc", "naive");
  ASSERT_EQ(write_tuned_file(file, naive), "");
  const Ran ran = lora_bench(folder, "--verify " + file.string());
  EXPECT_TRUE(ran.code == 1 || ran.code == 3) << ran.out << ran.err;
  if (ran.code == 1) {
    EXPECT_NE(ran.out.find("SLOWER"), std::string::npos);
  }
}

TEST(Verify, InterruptedGives130AndWhatItHas) {
  const TemporaryFolder folder;
  const TunedFile naive = file_of_a_record("m512_k2048_n2048_r16_f32_acc", "naive");
  ASSERT_EQ(write_tuned_file(folder / "t.json", naive), "");
  Process process(folder,
                  {"--verify", "t.json", "--json", "--device", "Portable Computing Language"}, {});
  // The last line before interrupts are noted and the worker is started.
  while (read_bytes(folder / "stderr").find(" timed\n") == std::string::npos ||
         process.children().empty()) {
    ASSERT_TRUE(process.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  process.signal(SIGINT);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  const json document = json::parse(result.out);
  EXPECT_TRUE(document.at("interrupted"));
  EXPECT_EQ(document.at("differing_records"), 1);
}

// The dispatcher uses it too: here in a process that may use another share of the CPU. It is the
// default, so nothing is timed.
TEST(Verify, ARecordOfASimilarDeviceCounts) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "t.json";
  std::string why;
  const Choice standard = default_choice(*parse_problem(kTiny, why), test_device().info);
  TunedFile similar = file_of_a_record(kTiny, std::string(standard.variant->name));
  similar.records[0].config = named_config(standard.variant->space, standard.config);
  similar.devices["d0"].usable_cpus = 0.125;
  // A device that is less near has the same record.
  similar.devices["d1"] = similar.devices["d0"];
  similar.devices["d1"].compute_units *= 2;
  similar.records.push_back(similar.records[0]);
  similar.records[1].device = "d1";
  ASSERT_EQ(write_tuned_file(file, similar), "");
  const Ran ran = lora_bench(folder, "--verify " + file.string() + " --json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(json::parse(ran.out).at("usable_records"), 1);
  EXPECT_NE(ran.err.find("1 of the records were measured on a device that is only similar\n"),
            std::string::npos)
      << ran.err;
}

TEST(Verify, TheLineOfABadRecordDoesItAgain) {
  const TemporaryFolder folder;
  const std::string file = folder / "it's.json";
  TunedFile bad = file_of_a_record(kTiny, "naive");
  bad.records[0].mode = Mode::deterministic;
  ASSERT_EQ(write_tuned_file(file, bad), "");
  const std::string fault = fault_of_run(bad.records[0]);
  const Ran ran = lora_bench(folder, "--verify " + shell_word(file) + " --seed 7", fault);
  EXPECT_EQ(ran.code, 5) << ran.err;
  const std::string program = "lora-bench";
  const std::string line = program + " --bench --device 'Portable Computing Language' --tuned " +
                           shell_word(file) + " --mode deterministic --problem fwd_" + kTiny +
                           " --seed 7";
  EXPECT_NE(ran.err.find("FAULT: " + line + "\n"), std::string::npos) << ran.err;
  const Ran again = run_line(folder, fault + LORATUNE_BENCH + line.substr(program.size()) +
                                         " --budget 1s --benchmark_filter='tuned|default'");
  EXPECT_EQ(again.code, 5) << again.err;
  EXPECT_NE(again.err.find("fwd_" + kTiny + "/tuned: runtime: "), std::string::npos) << again.err;
}

TEST(Verify, WhatCannotBeReadOrHasNoRecordForTheDeviceIsAnError) {
  const TemporaryFolder folder;
  EXPECT_EQ(lora_bench(folder, "--verify /nonexistent").code, 2);
  EXPECT_EQ(lora_bench(folder, "--verify " LORATUNE_SOURCE_DIR "/tests/data/fictional.json").code,
            2);
}

TEST(WeightRing, RotatesOverMoreThanTwiceTheCacheAndSharesItBetweenPlansOfALayout) {
  EXPECT_EQ(ring_size(1 << 20, 32 << 20, std::int64_t{1} << 40), 65);
  EXPECT_EQ(ring_size(1 << 20, 32 << 20, 8 << 20), 8) << "what can be allocated";
  EXPECT_EQ(ring_size(std::int64_t{1} << 40, 32 << 20, std::int64_t{1} << 42), 2);
  EXPECT_EQ(ring_size(std::int64_t{1} << 40, 32 << 20, std::int64_t{1} << 40), 1)
      << "two cannot be allocated";
  Case operands;
  std::string why;
  operands.problem = *parse_problem("m3_k1024_n1024_r64_f32_acc", why);
  Checker checker(test_engine(), operands);
  WeightRing ring(test_engine(), checker, Cache::rotate);
  const LaunchPlan plain;
  const std::vector<Operands>& first = ring.operands(plain);
  EXPECT_EQ(&ring.operands(plain), &first);
  const std::int64_t bytes = 2 * 64 * 1024 * 4;
  EXPECT_GT(static_cast<std::int64_t>(first.size()) * bytes,
            2 * last_level_cache_bytes(test_engine().device()));
  EXPECT_NE(first[0].a, first[1].a);
  EXPECT_NE(first[0].b, first[1].b);
  // A and B in one buffer: the same bytes, another ring.
  LaunchPlan joining;
  joining.launches.resize(1);
  joining.launches[0].args = {{Role::weights}};
  const std::vector<Operands>& joined = ring.operands(joining);
  EXPECT_NE(&joined, &first);
  EXPECT_EQ(joined.size(), first.size());
  EXPECT_NE(joined[0].a, joined[1].a);
  EXPECT_EQ(joined[0].b, nullptr);
  EXPECT_EQ(static_cast<std::int64_t>(buffer_bytes(joined[0].a)), bytes);
  WeightRing warm(test_engine(), checker, Cache::warm);
  EXPECT_EQ(warm.operands(plain).size(), 1U);
}

}  // namespace
}  // namespace loratune
