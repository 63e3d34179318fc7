#include "harness/sweep/result_table.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace loratune {
namespace {

Record record_of(const char* key, const char* variant, const char* reason, double speedup) {
  std::string why;
  Record record;
  record.problem = *parse_problem(key, why);
  record.variant = variant;
  record.reason = reason;
  record.time_ns = 12340;
  record.default_ns = 23450;
  record.speedup = speedup;
  record.speedup_lo = speedup - 0.02;
  record.speedup_hi = speedup + 0.02;
  return record;
}

TunedFile file_of_two() {
  TunedFile file;
  file.records = {record_of("m1_k64_n64_r8_f32_acc", "split", "no_significant_gain", 1),
                  record_of("m16_k1024_n1024_r64_f16_acc", "register_tiled", "measured", 1.44)};
  return file;
}

constexpr Terminal kPlain = {};

TEST(ResultTable, IsALineARecord) {
  EXPECT_EQ(result_table(file_of_two(), kPlain),
            "problem                     variant               us default us speed-up     interval "
            "outcome\n"
            "m1_k64_n64_r8_f32_acc       split              12.34      23.45        -              "
            "default kept\n"
            "m16_k1024_n1024_r64_f16_acc register_tiled     12.34      23.45    1.44x  1.42..1.46  "
            "faster\n");
}

TEST(ResultTable, FitsAHundredColumns) {
  TunedFile file = file_of_two();
  // The longest that there is: extents of ten digits each, an alignment, and times of minutes.
  Record longest = record_of("m2147483647_k2147483647_n2147483647_r1024_f16_set_align4096",
                             "rank_specialized", "no_significant_gain", 1);
  longest.time_ns = longest.default_ns = 999'999'990'000;
  file.records.push_back(longest);
  for (const TunedFile& any : {file_of_two(), file}) {
    std::istringstream lines(result_table(any, kPlain));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 100U) << line;
      EXPECT_FALSE(line.empty());
    }
  }
  EXPECT_NE(result_table(file, kPlain).find("m1_k64_n64_r8_f32_acc\n  split"), std::string::npos);
}

TEST(ResultTable, PaintsWhatIsFasterOnlyWhereTheTerminalHasColour) {
  const std::string coloured = result_table(file_of_two(), {true, true, 100});
  EXPECT_EQ(coloured.find("\033[32m"), coloured.rfind("\033[32m"));
  EXPECT_LT(coloured.find("register_tiled"), coloured.find("\033[32m"));
  EXPECT_EQ(result_table(file_of_two(), kPlain).find('\033'), std::string::npos);
}

TEST(ResultTable, KnowsEveryReason) {
  TunedFile file;
  for (const char* reason : {"measured", "no_significant_gain", "only_default", "stopped",
                             "environment", "failed_recheck"}) {
    file.records = {record_of("m1_k64_n64_r8_f32_acc", "split", reason, 1)};
    EXPECT_EQ(result_table(file, kPlain).find(reason), std::string::npos) << reason;
  }
  file.records = {record_of("m1_k64_n64_r8_f32_acc", "split", "of_a_later_build", 1)};
  EXPECT_NE(result_table(file, kPlain).find("of_a_late"), std::string::npos);
}

TEST(NextSteps, CountsAndNamesTheCommands) {
  EXPECT_EQ(next_steps(file_of_two(), "out/tuned.json"),
            "2 problems: 1 faster than the default, 1 with the default; 1.20x in the geometric "
            "mean\n"
            "next:\n"
            "  lora-bench --pick m16_k1024_n1024_r64_f16_acc --tuned out/tuned.json    # what a "
            "runtime runs, and why\n"
            "  lora-bench --report report.html out/tuned.json    # a page for a browser\n"
            "  lora-bench --verify out/tuned.json    # a dozen picks against the default, again\n");
}

TEST(NextSteps, SayWhatWouldDecideMore) {
  TunedFile file = file_of_two();
  file.records[0].reason = "stopped";
  file.records[1].reason = "environment";
  const std::string text = next_steps(file, "it's here.json");
  EXPECT_NE(text.find("a larger --budget: 1 problem was not decided in time\n"), std::string::npos);
  EXPECT_NE(text.find("a quieter machine: 1 problem was disturbed"), std::string::npos);
  EXPECT_NE(text.find("--verify 'it'\\''s here.json'"), std::string::npos) << text;
  EXPECT_EQ(next_steps({}, "tuned.json"), "") << "nothing came of it";
}

}  // namespace
}  // namespace loratune
