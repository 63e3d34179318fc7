// --bench and --verify as a user runs them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "device/faulty_driver.h"
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

TEST(Bench, WhatIsThereStaysUntilThereIsSomethingToWrite) {
  const TemporaryFolder folder;
  write_bytes(folder / "last.json", "of last week");
  const std::string out = " --benchmark_out=last.json --problem " + kTiny;
  EXPECT_EQ(lora_bench(folder, "--bench --device nosuch" + out).code, 2);
  EXPECT_EQ(lora_bench(folder, "--bench --tuned last.json" + out).code, 2);
  EXPECT_EQ(lora_bench(folder, "--bench --tuned ./last.json --budget 1s" + out).code, 2);
  EXPECT_EQ(read_bytes(folder / "last.json"), "of last week");
  const std::ptrdiff_t before = folder.files();
  EXPECT_EQ(lora_bench(folder, "--bench --device nosuch --benchmark_out=new.json").code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "new.json"));
  EXPECT_EQ(folder.files(), before);
}

TEST(Bench, AFileThatIsCutOffIs2) {
  const TemporaryFolder folder;
  for (const std::string format : {"json", "csv", "console"}) {
    std::string arguments =
        "--bench --budget 1s --benchmark_filter=launch --benchmark_out=/dev/full --problem " +
        kTiny;
    arguments.append(" --benchmark_out_format=").append(format);
    const Ran ran = lora_bench(folder, arguments);
    EXPECT_EQ(ran.code, 2) << format << "\n" << ran.err;
    EXPECT_NE(ran.err.find("--benchmark_out=/dev/full is cut off"), std::string::npos) << ran.err;
    EXPECT_NE(ran.out.find("/launch"), std::string::npos) << "what was measured is shown";
  }
}

TEST(Bench, AProblemBeyondTheMemoryIsToldAndTheOthersGoOn) {
  const TemporaryFolder folder;
  const std::string huge = "m1000000000_k1000000_n8_r4_f32_acc";
  const std::string bench =
      "--bench --budget 1s --benchmark_filter=default --problem " + huge + "," + kTiny;
  const Ran ran = lora_bench(folder, bench);
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_NE(ran.err.find("fwd_" + huge + ": needs a buffer of"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("lora-bench --bench --device 'Portable Computing Language' --problem "
                         "fwd_" +
                         huge),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.out.find("fwd_" + kTiny + "/default"), std::string::npos) << ran.out;
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
  const Variant& naive = *find_variant("naive");
  const Problem& problem = bad.records[0].problem;
  const DeviceInfo& device = test_device().info;
  const LaunchPlan plan = naive.plan(problem, naive.default_config(problem, device), device);
  std::string fault;
  for (const std::string& variable : with_fault("run:" + plan.launches.at(0).kernel)) {
    fault.append(variable).append(" ");
  }
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
