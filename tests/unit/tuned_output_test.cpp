#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "fictional.h"
#include "harness/base/failure.h"
#include "harness/sweep/output.h"
#include "harness/sweep/report.h"
#include "loratune/dispatch/dispatcher.h"
#include "temporary_folder.h"
#include "tuner/merge.h"

namespace loratune {
namespace {

const ToolInfo kTool = {"lora-bench", "0.1.0", "0123456789ab"};

Config naive_config(int wg_n) { return {1, wg_n, 1, 0}; }

// A verdict for `problem`: config WG_N = 64 against the default, WG_N = 8.
Decided decided(const Problem& problem, double speedup = 2) {
  Decided one;
  one.problem = problem;
  for (const int wg_n : {8, 64}) {
    one.candidates.push_back({find_variant("naive"), naive_config(wg_n)});
    one.prepared.push_back({Outcome::correct, 1000, 0.25, ""});
  }
  one.log_ratios = {0, -std::log(speedup)};
  one.verdict.choice = 1;
  one.verdict.reason = "measured";
  one.verdict.time_ns = 1000.6;
  one.verdict.default_ns = 1000.6 * speedup;
  one.verdict.speedup = speedup;
  one.verdict.speedup_low = speedup * 0.98;
  one.verdict.speedup_high = speedup * 1.02;
  one.verdict.level = 0.99;
  one.verdict.rounds = 40;
  one.verdict.error_over_bound = 0.25;
  one.seen = 0.5;
  return one;
}

std::vector<Decided> grid() {
  std::vector<Decided> all;
  for (const int rank : {4, 8}) {
    for (const std::int64_t m : {64, 1, 16}) {
      Problem problem = fictional::problem(m, rank);
      all.push_back(decided(problem));
      problem.k = problem.n = 2048;
      all.push_back(decided(problem));
    }
  }
  return all;
}

TunedFile make(const std::vector<Decided>& all, Mode mode = Mode::fast) {
  return make_tuned_file(all, mode, fictional::device(), kTool);
}

KernelInfo kernel_of(const char* name) {
  const Variant& variant = *find_variant(name);
  return {std::string(variant.source_sha256), variant.revision};
}

TEST(MakeTunedFile, WritesARecordAVerdict) {
  const TunedFile file = make({decided(fictional::problem(3))}, Mode::deterministic);
  EXPECT_EQ(file.tool, kTool);
  ASSERT_EQ(file.devices.size(), 1U);
  EXPECT_EQ(file.devices.at("d0"), tuned_device(fictional::device()));
  ASSERT_EQ(file.kernels.size(), 1U);
  EXPECT_EQ(file.kernels.at("naive"), kernel_of("naive"));
  ASSERT_EQ(file.records.size(), 1U);
  const Record& record = file.records[0];
  EXPECT_EQ(record.device, "d0");
  EXPECT_EQ(record.mode, Mode::deterministic);
  EXPECT_EQ(record.problem, fictional::problem(3));
  EXPECT_EQ(record.variant, "naive");
  EXPECT_EQ(record.config, fictional::naive(64));
  EXPECT_EQ(record.time_ns, 1001);
  EXPECT_EQ(record.default_ns, 2001);
  EXPECT_EQ(record.speedup, 2);
  EXPECT_EQ(record.speedup_lo, 1.96);
  EXPECT_EQ(record.speedup_hi, 2.04);
  EXPECT_EQ(record.level, 0.99);
  EXPECT_EQ(record.rounds, 40);
  EXPECT_EQ(record.error_over_bound, 0.25);
  EXPECT_EQ(record.seen, 0.5);
  EXPECT_EQ(record.reason, "measured");
}

TEST(MakeTunedFile, WritesTheDefaultWhereItWasKept) {
  Decided kept = decided(fictional::problem());
  kept.verdict.choice = 0;
  kept.verdict.reason = "no_significant_gain";
  EXPECT_EQ(make({kept}).records.at(0).config, fictional::naive(8));
}

TEST(MakeTunedFile, WritesNoRecordWhereTheDefaultFailed) {
  Decided failed = decided(fictional::problem(1));
  failed.verdict = {};
  failed.verdict.reason = "default_failed";
  failed.log_ratios = {NAN, NAN};
  const TunedFile file = make({failed, decided(fictional::problem(2))});
  ASSERT_EQ(file.records.size(), 1U);
  EXPECT_EQ(file.records[0].problem.m, 2);
}

TEST(MakeTunedFile, WritesRulesForAllRowCountsOfBatchInvariant) {
  const TunedFile file = make(grid(), Mode::batch_invariant);
  EXPECT_EQ(file.records.size(), 12U);
  ASSERT_FALSE(file.rules.empty());
  for (const Rule& rule : file.rules) EXPECT_EQ(rule.m, (Range{1, kMaxExtent}));
  const Dispatcher dispatcher(file, fictional::device());
  for (const std::int64_t m : {1, 5, 100'000}) {
    Problem between = fictional::problem(m, 6);
    between.k = between.n = 1500;
    const Choice choice = dispatcher.pick(between, Mode::batch_invariant);
    EXPECT_EQ(choice.shape_match, ShapeMatch::rule) << m;
    EXPECT_EQ(choice.config, naive_config(64));
  }
}

TEST(MakeTunedFile, IsReadBackWithItsRules) {
  const TunedFile file = make(grid());
  EXPECT_TRUE(std::is_sorted(file.records.begin(), file.records.end(), file_order));
  ASSERT_FALSE(file.rules.empty());
  for (const Rule& rule : file.rules) EXPECT_EQ(rule.config, fictional::naive(64));
  const ParsedTunedFile parsed = parse_tuned_file(serialize(file));
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(parsed.file->records.size(), grid().size());
  EXPECT_EQ(serialize(*parsed.file), serialize(file));
}

TEST(MakeTunedFile, OfNothingIsStillAFile) {
  const ParsedTunedFile parsed = parse_tuned_file(serialize(make({})));
  EXPECT_TRUE(parsed.file) << parsed.error;
}

// The fictional file with kernels as this build has them, so that none has changed.
TunedFile earlier() {
  TunedFile file = fictional::file();
  for (const char* name : {"naive", "split", "tiled"}) file.kernels[name] = kernel_of(name);
  return file;
}

std::ptrdiff_t count(const TunedFile& file, auto wanted) {
  return std::count_if(file.records.begin(), file.records.end(), wanted);
}

TEST(MergeEarlier, KeepsOtherDevicesModesAndProblems) {
  Losses dropped;
  const TunedFile merged = merge_earlier(make({decided(fictional::problem())}), earlier(), dropped);
  EXPECT_TRUE(dropped.empty());
  EXPECT_EQ(merged.devices.size(), 5U);
  EXPECT_EQ(merged.records.size(), earlier().records.size());  // one replaced
  const auto same = [](const Record& record) {
    return record.device == "d0" && record.problem == fictional::problem();
  };
  ASSERT_EQ(count(merged, same), 2);
  EXPECT_EQ(count(merged, [&](const Record& r) { return same(r) && r.mode == Mode::fast; }), 1);
  const auto fresh = std::find_if(merged.records.begin(), merged.records.end(),
                                  [&](const auto& r) { return same(r) && r.mode == Mode::fast; });
  EXPECT_EQ(fresh->rounds, 40);
  EXPECT_EQ(fresh->speedup, 2) << "the earlier one, not the fresh";
  EXPECT_EQ(count(merged, [](const Record& r) { return r.variant == "warp_shuffle"; }), 1);
  EXPECT_EQ(merged.kernels.at("warp_shuffle"), earlier().kernels.at("warp_shuffle"));
  EXPECT_TRUE(std::is_sorted(merged.records.begin(), merged.records.end(), file_order));
  const ParsedTunedFile parsed = parse_tuned_file(serialize(merged));
  EXPECT_TRUE(parsed.file) << parsed.error;
}

TEST(MergeEarlier, KeepsEachRecordWithItsOwnDevice) {
  // In the earlier file the device at hand is d1, and another one d0.
  TunedFile file = earlier();
  std::swap(file.devices["d0"], file.devices["d1"]);
  Losses dropped;
  const TunedFile merged = merge_earlier(make({decided(fictional::problem())}), file, dropped);
  EXPECT_EQ(merged.devices.at("d0"), tuned_device(fictional::device()));
  const auto of = [](const TunedFile& any, const TunedDevice& device) {
    std::vector<std::string> configs;
    for (const Record& r : any.records) {
      if (any.devices.at(r.device) != device || r.problem == fictional::problem()) continue;
      configs.push_back(to_string(r.problem) + " " + std::to_string(r.config.back().second));
    }
    std::sort(configs.begin(), configs.end());
    return configs;
  };
  for (const auto& [id, device] : file.devices) EXPECT_EQ(of(merged, device), of(file, device));
}

TEST(MergeEarlier, ReplacesTheRulesWhoseGroundItMeasuredAgain) {
  // The device's rules: ranks 5 to 8, k and n 512 to 2048, m 16 to 64 (and, set, to 256).
  Losses dropped;
  const TunedFile file = earlier();
  const auto rules_after = [&](const Problem& problem, Mode mode = Mode::fast) {
    return merge_earlier(make({decided(problem)}, mode), file, dropped).rules.size();
  };
  EXPECT_EQ(rules_after(fictional::problem(30)), file.rules.size() - 1) << "within";
  EXPECT_EQ(rules_after(fictional::problem(15)), file.rules.size() - 1) << "a corner of the gap";
  EXPECT_EQ(rules_after(fictional::problem(14)), file.rules.size());
  EXPECT_EQ(rules_after(fictional::problem(66)), file.rules.size());
  EXPECT_EQ(rules_after(fictional::problem(30, 4)), file.rules.size()) << "another rank";
  EXPECT_EQ(rules_after(fictional::problem(30), Mode::deterministic), file.rules.size());
  Problem other = fictional::problem(30);
  other.k = 4096;
  EXPECT_EQ(rules_after(other), file.rules.size());
}

TEST(MergeEarlier, LeavesOutARuleThatAFreshOneOverlaps) {
  TunedFile file = earlier();
  const TunedFile fresh = make(grid());
  ASSERT_FALSE(fresh.rules.empty());
  file.rules = {fresh.rules[0]};  // of d0, which is the device at hand here too
  file.rules[0].m.lo = file.rules[0].m.hi;
  file.rules[0].regret_bound = 0.01;
  Losses dropped;
  const TunedFile merged = merge_earlier(fresh, file, dropped);
  EXPECT_EQ(merged.rules, fresh.rules);
  EXPECT_TRUE(parse_tuned_file(serialize(merged)).file);
}

TEST(MergeEarlier, TakesADeviceThatIsListedTwiceOnce) {
  TunedFile file = earlier();
  file.devices["d1"] = file.devices["d0"];  // their records of problem() are now of one device
  Losses dropped;
  const TunedFile merged = merge_earlier(make({decided(fictional::problem(9))}), file, dropped);
  const ParsedTunedFile parsed = parse_tuned_file(serialize(merged));
  EXPECT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(merged.records.size(), file.records.size());  // one more, one less
}

TEST(MergeEarlier, ReplacesAllThatMustHaveOneChoice) {
  TunedFile earlier_one = make({decided(fictional::problem(1)), decided(fictional::problem(16)),
                                decided(fictional::problem(1, 16))},
                               Mode::batch_invariant);
  const TunedFile fresh = make({decided(fictional::problem(64))}, Mode::batch_invariant);
  Losses dropped;
  const TunedFile merged = merge_earlier(fresh, earlier_one, dropped);
  ASSERT_EQ(merged.records.size(), 2U);
  EXPECT_EQ(merged.records[0].problem, fictional::problem(64));
  EXPECT_EQ(merged.records[1].problem, fictional::problem(1, 16));
  for (Record& record : earlier_one.records) record.mode = Mode::deterministic;
  EXPECT_EQ(merge_earlier(fresh, earlier_one, dropped).records.size(), 4U);
}

TEST(MergeEarlier, LosesNoRuleToASweepThatDecidedNothing) {
  Losses dropped;
  const TunedFile merged = merge_earlier(make({}), earlier(), dropped);
  EXPECT_EQ(merged.rules.size(), earlier().rules.size());
  EXPECT_EQ(merged.records.size(), earlier().records.size());
}

TEST(MergeEarlier, DropsAndCountsRecordsOfKernelsThatChanged) {
  TunedFile file = earlier();
  file.kernels["naive"].source_sha256 = std::string(64, '0');
  Losses dropped;
  const TunedFile merged = merge_earlier(make({decided(fictional::problem())}), file, dropped);
  // All are naive's but warp_shuffle's, and one is replaced.
  int records = 0;
  for (const auto& [of, loss] : dropped) {
    EXPECT_EQ(of.first, "naive");
    records += loss.records;
  }
  EXPECT_EQ(records, static_cast<int>(file.records.size()) - 2);
  EXPECT_EQ(merged.records.size(), 2U);
  EXPECT_TRUE(merged.rules.empty());
  EXPECT_EQ(merged.kernels.at("naive"), kernel_of("naive"));
  file.kernels["naive"] = kernel_of("naive");
  ++file.kernels["naive"].revision;
  merge_earlier(make({decided(fictional::problem())}), file, dropped);
  EXPECT_FALSE(dropped.empty()) << "another revision";
}

class UpdateTunedFile : public ::testing::Test {
 protected:
  UpdateTunedFile() { std::filesystem::create_directories(folder_); }
  ~UpdateTunedFile() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("update_tuned_file." + std::to_string(getpid()));
  const std::string path_ = folder_ / "tuned.json";
};

TEST_F(UpdateTunedFile, LosesNoRecordWhereManyEndAtOnce) {
  constexpr int kWriters = 8;
  std::vector<pid_t> writers;
  for (int i = 1; i <= kWriters; ++i) {
    writers.push_back(fork());
    if (writers.back() == 0) {
      for (int j = 0; j < 5; ++j) {
        update_tuned_file(path_, make({decided(fictional::problem(i + kWriters * j))}), {});
      }
      _exit(0);
    }
  }
  for (const pid_t writer : writers) {
    int status = -1;
    ASSERT_EQ(waitpid(writer, &status, 0), writer);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(load_tuned_file(path_).file.value().records.size(), 5U * kWriters);
}

// Who writes through a link and who does not must wait for one another.
TEST_F(UpdateTunedFile, LocksTheFolderOfTheFileBehindALink) {
  std::filesystem::create_directories(folder_ / "links");
  const std::string link = folder_ / "links" / "tuned.json";
  std::filesystem::create_symlink("../tuned.json", link);
  update_tuned_file(path_, make({}), {});
  const int held = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(held, LOCK_EX), 0);
  EXPECT_THROW(update_tuned_file(link, make({}), {}, 0.05), Failure);
  close(held);
  update_tuned_file(link, make({decided(fictional::problem())}), {}, 0.05);
  EXPECT_EQ(load_tuned_file(path_).file.value().records.size(), 1U);
}

// As `flock FOLDER lora-bench --sweep` has it: who holds the folder waits for the sweep's end.
TEST_F(UpdateTunedFile, DoesNotWaitForEverForWhoHoldsTheFolder) {
  const int held = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(held, LOCK_EX), 0);
  try {
    update_tuned_file(path_, make({}), {}, 0.05);
    ADD_FAILURE() << "written in spite of the lock";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    EXPECT_NE(std::string(failure.what()).find("'" + folder_.string() + "'"), std::string::npos)
        << failure.what();
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  close(held);
  update_tuned_file(path_, make({}), {}, 0.05);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UpdateTunedFile, LeavesWhatIsNoTunedFileAlone) {
  std::ofstream(path_) << "mine";
  EXPECT_THROW(update_tuned_file(path_, make({}), {}), Failure);
  std::string text;
  std::ifstream(path_) >> text;
  EXPECT_EQ(text, "mine");
}

// A file of other sources, as another build leaves it on two devices.
TunedFile of_another_build() {
  TunedFile file = earlier();
  for (auto& [variant, kernel] : file.kernels) kernel.source_sha256 = std::string(64, '0');
  return file;
}

TEST_F(UpdateTunedFile, KeepsRecordsOfOtherBuildsUnlessTheyAreNamed) {
  const TunedFile file = of_another_build();
  ASSERT_EQ(write_tuned_file(path_, file), "");
  const TunedFile fresh = make({decided(fictional::problem(9))});
  ASSERT_TRUE(fresh.kernels.contains("naive"));
  testing::internal::CaptureStderr();
  try {
    update_tuned_file(path_, fresh, {"split"});
    ADD_FAILURE() << "written over";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    EXPECT_NE(std::string(failure.what()).find("--forget naive"), std::string::npos);
  }
  const std::string listed = testing::internal::GetCapturedStderr();
  EXPECT_NE(listed.find("of naive of another build, on "), std::string::npos) << listed;
  EXPECT_EQ(read_bytes(path_), serialize(file)) << "something was lost";
}

TEST_F(UpdateTunedFile, LosesWhatIsNamedAndNothingElse) {
  const TunedFile file = of_another_build();
  ASSERT_EQ(write_tuned_file(path_, file), "");
  const TunedFile fresh = make({decided(fictional::problem(9))});
  const auto others = count(file, [](const Record& r) { return r.variant != "naive"; });
  ASSERT_GT(others, 0);
  testing::internal::CaptureStderr();
  const TunedFile now = update_tuned_file(path_, fresh, {"naive"});
  EXPECT_NE(testing::internal::GetCapturedStderr(), "") << "lost in silence";
  EXPECT_EQ(now.records.size(), fresh.records.size() + static_cast<std::size_t>(others));
  EXPECT_EQ(load_tuned_file(path_).file, now);
}

SweepResult swept_with(const std::string& detail) {
  Decided one = decided(fictional::problem());
  one.candidates.push_back({find_variant("naive"), naive_config(16)});
  one.prepared.push_back({Outcome::compile, 0, 0, detail});
  one.log_ratios.push_back(NAN);
  SweepResult swept;
  swept.setup.device = fictional::device();
  swept.decided = {one};
  return swept;
}

TEST_F(UpdateTunedFile, TellsWhatADriverSaidInPrintableText) {
  Options options;
  options.out = path_;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  finish_sweep(options, swept_with("error: \x1b[2J\n  here"), nullptr);
  const std::string out = testing::internal::GetCapturedStdout();
  const std::string err = testing::internal::GetCapturedStderr();
  EXPECT_EQ((out + err).find('\x1b'), std::string::npos) << out << err;
  EXPECT_NE(err.find("error: \\x1b[2J   here\n"), std::string::npos) << err;
}

TEST_F(UpdateTunedFile, ThatCannotBeWrittenIsMadeOfTheJournal) {
  Options options;
  options.out = folder_ / "missing" / "tuned.json";
  const auto refusal = [&] {
    try {
      finish_sweep(options, swept_with(""), nullptr);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitUsage);
      return std::string(failure.what());
    }
    return std::string("written");
  };
  EXPECT_NE(refusal().find("--resume makes the file"), std::string::npos) << refusal();
  options.replay = "a.journal";
  EXPECT_EQ(refusal().find("--resume"), std::string::npos) << "a replay has no sweep to go on with";
}

TEST(KeepOneSource, KeepsThatOfThisBuildAndListsWhatGoes) {
  const TunedFile ours = earlier();
  const TunedFile theirs = of_another_build();
  testing::internal::CaptureStderr();
  std::vector<TunedFile> files = {theirs, ours};
  EXPECT_THROW(keep_one_source(files, {"theirs.json", "ours.json"}, {"split"}), Failure);
  files = {theirs, ours};
  keep_one_source(files, {"theirs.json", "ours.json"}, {"naive", "warp_shuffle"});
  const std::string listed = testing::internal::GetCapturedStderr();
  EXPECT_NE(listed.find("'theirs.json' loses "), std::string::npos) << listed;
  EXPECT_NE(listed.find("'ours.json' loses 1 records and 0 rules of warp_shuffle"),
            std::string::npos)
      << "this build has no warp_shuffle, so the first file's stays: " << listed;
  EXPECT_EQ(files[1].kernels.at("naive"), kernel_of("naive"));
  EXPECT_EQ(count(files[0], [](const Record& r) { return r.variant == "naive"; }), 0);
  EXPECT_EQ(count(files[0], [](const Record& r) { return r.variant == "warp_shuffle"; }), 1);
  std::string why;
  EXPECT_TRUE(merge_tuned_files(files, why)) << why;
}

TEST(MergeEarlier, IntoTheSameFileChangesNothing) {
  const TunedFile file = make(grid());
  Losses dropped;
  EXPECT_EQ(serialize(merge_earlier(file, file, dropped)), serialize(file));
  EXPECT_TRUE(dropped.empty());
}

}  // namespace
}  // namespace loratune
