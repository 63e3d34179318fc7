#include "harness/record/recording.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cmath>
#include <fstream>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/cli/parse.h"
#include "harness/record/modes.h"
#include "made_up_devices.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

// A square of costs around its middle for each of three problems, with a point that cannot run.
Recording made_up_recording() {
  Recording recording;
  recording.device = made_up::gpu();
  recording.kernels = {{"square", {{"revision", 1}, {"sha256", "00"}}}};
  recording.variants = {{"square", {"ROWS", "COLUMNS"}}};
  for (const std::int64_t m : {1, 16, 512}) {
    RecordedProblem one;
    one.problem.m = m;
    one.problem.k = one.problem.n = 512;
    one.problem.rank = 8;
    for (int rows = 0; rows < 12; ++rows) {
      for (int columns = 0; columns < 12; ++columns) {
        const double ns = 1000 + 100 * std::abs(rows - 7) + 100 * std::abs(columns - 4);
        one.configs.push_back({0, {rows, columns}, Outcome::correct, {2 * ns, ns, ns}});
      }
    }
    one.configs[5] = {0, {0, 5}, Outcome::compile, {}};
    recording.problems.push_back(one);
  }
  return recording;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string failure_of(const std::string& path) {
  try {
    read_recording(path);
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    return failure.what();
  }
  return "read without complaint";
}

TEST(Recording, OneThatSaysNoCacheIsOfWarmBuffers) {
  const TemporaryFolder folder;
  Recording recording = made_up_recording();
  recording.cache = Cache::rotate;
  std::string text = serialize(recording);
  write(folder / "r", text);
  EXPECT_EQ(read_recording((folder / "r").string()).cache, Cache::rotate);
  const std::string member = R"("cache":"rotate",)";
  const std::size_t at = text.find(member);
  ASSERT_NE(at, std::string::npos);
  write(folder / "old", std::string(text).erase(at, member.size()));
  EXPECT_EQ(read_recording((folder / "old").string()).cache, Cache::warm);
  write(folder / "none", text.replace(at, member.size(), R"("cache":"cold",)"));
  EXPECT_NE(failure_of((folder / "none").string()).find("cache"), std::string::npos);
}

TEST(Recording, IsReadBackPlainOrCompressed) {
  const TemporaryFolder folder;
  const Recording recording = made_up_recording();
  const std::string text = serialize(recording);
  write(folder / "plain", text);
  gzFile packed = gzopen((folder / "packed").c_str(), "wb");
  gzwrite(packed, text.data(), static_cast<unsigned>(text.size()));
  gzclose(packed);
  for (const char* name : {"plain", "packed"}) {
    EXPECT_TRUE(is_recording(folder / name));
    EXPECT_EQ(read_recording(folder / name), recording);
  }
  write(folder / "other", "{\"schema\": \"loratune/tuned\"}\n");
  EXPECT_FALSE(is_recording(folder / "other"));
  EXPECT_FALSE(is_recording(folder / "none"));
}

TEST(Recording, IsWrittenAsItsNameSays) {
  const TemporaryFolder folder;
  const Recording recording = made_up_recording();
  const std::string plain = (folder / "r.jsonl").string();
  const std::string packed = plain + ".gz";
  for (const std::string& path : {plain, packed}) {
    ASSERT_EQ(write_recording(path, recording), "");
    EXPECT_EQ(read_recording(path), recording);
    EXPECT_EQ(read_bytes(path).starts_with("\x1f\x8b"), path == packed);
  }
  EXPECT_EQ(read_bytes(plain), serialize(recording));
  EXPECT_LT(read_bytes(packed).size(), read_bytes(plain).size());
  EXPECT_NE(write_recording((folder / "none/r.jsonl.gz").string(), recording), "");
}

TEST(Recording, WhatIsDamagedIsRefusedWithItsLine) {
  const TemporaryFolder folder;
  const std::string text = serialize(made_up_recording());
  const std::string path = folder / "r";
  const auto damaged = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    write(path, changed);
    return failure_of(path);
  };
  const auto names_line = [](const std::string& line, int number) {
    return line.find("line " + std::to_string(number) + ":") != std::string::npos;
  };
  EXPECT_PRED2(names_line, damaged("loratune/recording", "loratune/journal"), 1);
  EXPECT_PRED2(names_line, damaged("\"version\":1", "\"version\":2"), 1);
  EXPECT_PRED2(names_line, damaged("\"compute_units\"", "\"computers\""), 1);
  EXPECT_PRED2(names_line, damaged("[0,0]", "[0,0,0]"), 2);
  EXPECT_PRED2(names_line, damaged("\"variant\":\"square\"", "\"variant\":\"round\""), 2);
  EXPECT_PRED2(names_line, damaged("\"outcome\":\"correct\"", "\"outcome\":\"fine\""), 2);
  EXPECT_PRED2(names_line, damaged("[4200.0,", "[-4200.0,"), 2);
  EXPECT_PRED2(names_line, damaged("fwd_m1_", "fwd_m-1_"), 2);
  EXPECT_PRED2(names_line, damaged("\"outcome\":\"compile\"", "\"outcome\":\"correct\""), 7);
  EXPECT_PRED2(names_line, damaged("[0,0]", "[0.5,0]"), 2) << "cut to 0, it would be another's";
  EXPECT_PRED2(names_line, damaged("[0,0]", "[4294967296,0]"), 2);
  EXPECT_PRED2(names_line, damaged("[0,0]", "[true,0]"), 2);
  EXPECT_PRED2(names_line, damaged("[0,0]", "{\"a\":0,\"b\":0}"), 2);
  EXPECT_PRED2(names_line, damaged("\"compute_units\":60", "\"compute_units\":0"), 1);
  EXPECT_PRED2(names_line, damaged("\"compute_units\":60", "\"compute_units\":1.5"), 1);
  EXPECT_PRED2(names_line, damaged("\"compute_units\":60", "\"compute_units\":-1"), 1);
  EXPECT_PRED2(names_line, damaged("\"type\":1", "\"type\":7"), 1);
  EXPECT_PRED2(names_line, damaged("[4200.0,", std::string(200000, '[')), 2);
  EXPECT_PRED2(names_line, damaged("\"problem\"", std::string("\"\0em\"", 5)), 2);
  EXPECT_PRED2(names_line, damaged("{\"cache\"", std::string(4, '\0')), 1);
  EXPECT_PRED2(names_line, damaged("{\"config\"", std::string(2 << 20, ' ') + "{\"config\""), 2);
  EXPECT_PRED2(names_line, damaged("{\"config\"", "[],{\"config\""), 2);
  write(path, "[1]\n");
  EXPECT_PRED2(names_line, failure_of(path), 1);
  write(path, text.substr(0, text.size() - 20));
  EXPECT_PRED2(names_line, failure_of(path), 1 + 3 * 144);
  write(path, text.substr(0, text.find('\n') + 1));
  EXPECT_NE(failure_of(path).find("no problem"), std::string::npos);
  EXPECT_NE(failure_of(folder / "none").find("cannot be read"), std::string::npos);
}

TEST(Recording, IsARegularFileAndNamedPrintably) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {std::string("/dev/zero"), folder.path().string(),
                                  (folder / "fifo").string(), std::string("/no\x1b[31m\n")}) {
    EXPECT_FALSE(is_recording(path));
    const std::string line = failure_of(path);
    EXPECT_NE(line.find("recording '"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\x1b\n"), std::string::npos) << line;
  }
}

// A thousand bytes that unpack to more than a line may have.
TEST(Recording, ThatUnpacksToTooMuchIsRefused) {
  const TemporaryFolder folder;
  const std::string zeros(std::size_t{4} << 20, ' ');
  gzFile packed = gzopen((folder / "bomb").c_str(), "wb9");
  for (int i = 0; i < 8; ++i) gzwrite(packed, zeros.data(), static_cast<unsigned>(zeros.size()));
  gzclose(packed);
  EXPECT_FALSE(is_recording(folder / "bomb"));
  EXPECT_NE(failure_of(folder / "bomb").find("line 1: it is too long"), std::string::npos);
}

TEST(Recording, AConfigTakesTheMedianOfItsRoundsElseItsProbe) {
  EXPECT_EQ(recorded_ns({0, {}, Outcome::correct, {9, 1, 2, 5}}), 2);
  EXPECT_EQ(recorded_ns({0, {}, Outcome::slow, {9}}), 9);
  EXPECT_TRUE(std::isnan(recorded_ns({0, {}, Outcome::compile, {}})));
}

std::string simulated(const std::string& path, const std::vector<const char*>& arguments) {
  std::vector<const char*> all = {"lora-bench", "--replay", path.c_str()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const Options options = parse_command_line(static_cast<int>(all.size()), all.data());
  EXPECT_EQ(options.command, Command::simulate);
  testing::internal::CaptureStdout();
  EXPECT_EQ(simulate_mode(options), kExitGood);
  return testing::internal::GetCapturedStdout();
}

TEST(Simulate, IsReproducibleToTheBitAndFollowsItsSeed) {
  const TemporaryFolder folder;
  const std::string path = folder / "r";
  write(path, serialize(made_up_recording()));
  for (const char* strategy : {"random", "cold", "auto"}) {
    const auto run = [&](const char* seed) {
      return simulated(path, {"--strategy", strategy, "--seed", seed, "--json"});
    };
    EXPECT_EQ(run("1"), run("1")) << strategy;
    EXPECT_NE(run("1"), run("2")) << strategy;
  }
}

TEST(Simulate, TellsTheFractionOfTheOptimumAfterEachEvaluation) {
  const TemporaryFolder folder;
  const std::string path = folder / "r";
  write(path, serialize(made_up_recording()));
  const auto fractions = [&](const char* strategy, const char* evaluations) {
    return nlohmann::json::parse(
               simulated(path, {"--strategy", strategy, "--evaluations", evaluations, "--json"}))
        .at("problems")[0]
        .at("fractions")[0]
        .get<std::vector<double>>();
  };
  const auto all = fractions("exhaustive", "1000");
  EXPECT_EQ(all.size(), 144U) << "no more than there are";
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_DOUBLE_EQ(all.front(), 1000.0 / 2100);
  EXPECT_DOUBLE_EQ(all[7 * 12 + 3], 1000.0 / 1100);
  EXPECT_DOUBLE_EQ(all[7 * 12 + 4], 1);
  EXPECT_EQ(fractions("auto", "9").size(), 9U);
}

// Of all configs of a variant that this build has, only its default is fast.
TEST(Simulate, BeginsWithTheVariantsDefaultsAsASweepDoes) {
  Recording recording = made_up_recording();
  recording.problems.resize(1);
  RecordedProblem& only = recording.problems[0];
  const Variant& variant = *find_variant("rank_specialized");
  recording.variants.push_back({std::string(variant.name), {}});
  for (const Parameter& parameter : variant.space.parameters) {
    recording.variants[1].parameters.emplace_back(parameter.name);
  }
  const Config best = variant.default_config(only.problem, recording.device);
  for (const std::int32_t value : variant.space.parameters[0].values) {
    Config config = best;
    config[0] = value;
    only.configs.push_back({1, config, Outcome::correct, {config == best ? 10.0 : 9000.0}});
  }
  const TemporaryFolder folder;
  const std::string path = folder / "r";
  const auto second = [&](const char* strategy) {
    write(path, serialize(recording));
    const std::string text =
        simulated(path, {"--strategy", strategy, "--evaluations", "2", "--seeds", "9", "--json"});
    const auto curves = nlohmann::json::parse(text)["problems"][0]["fractions"];
    int found = 0;
    for (const auto& curve : curves) {
      found += curve[1].get<double>() == 1 ? 1 : 0;
    }
    return found;
  };
  EXPECT_EQ(second("auto"), 9);
  EXPECT_EQ(second("cold"), 9);
  EXPECT_LT(second("random"), 9);
  recording.variants[1].parameters[0] = "LANES_OF_OLD";
  EXPECT_LT(second("auto"), 9) << "another variant's default";
}

TEST(Simulate, AShareIsOfTheConfigsOfARecordingOnly) {
  const TemporaryFolder folder;
  const std::string path = folder / "r";
  write(path, serialize(made_up_recording()));
  const auto json = nlohmann::json::parse(simulated(path, {"--evaluations", "10%", "--json"}));
  EXPECT_EQ(json["problems"][0]["fractions"][0].size(), 15U) << "of 144, rounded up";
  const auto refused = [&](const std::vector<const char*>& arguments) {
    std::vector<const char*> all = {"lora-bench"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    EXPECT_THROW(parse_command_line(static_cast<int>(all.size()), all.data()), Failure);
  };
  refused({"--sweep", "--evaluations", "5%"});
  for (const char* text : {"0", "-1", "2.5", "101%", "0%", "many", "5x"}) {
    refused({"--replay", path.c_str(), "--evaluations", text});
  }
  refused({"--replay", path.c_str(), "--strategy", "annealing"});
}

TEST(Simulate, ARecordingOnWhichNothingRanIsRefused) {
  const TemporaryFolder folder;
  Recording recording = made_up_recording();
  for (RecordedConfig& config : recording.problems[1].configs) {
    config.outcome = Outcome::runtime;
    config.ns.clear();
  }
  Options options;
  options.replay = folder / "r";
  write(options.replay, serialize(recording));
  EXPECT_THROW(simulate_mode(options), Failure);
}

}  // namespace
}  // namespace loratune
