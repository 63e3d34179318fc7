// A report of what a sweep has just left behind.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "device/process.h"

namespace loratune {
namespace {

using nlohmann::json;

TEST(Report, OfAJournalHasTheRecordsOfItsTunedFile) {
  const TemporaryFolder folder;
  const auto run = [&](const Words& words) { return Process(folder, words, {}).wait(); };
  const Result swept = run({"--sweep", "--problem", "m4_k256_n256_r8_f32_acc", "--problem",
                            "m8_k256_n256_r8_f32_acc", "--evaluations", "4", "--budget", "6s"});
  ASSERT_EQ(swept.code, 0) << swept.err;
  const auto report = [&](const Words& files) {
    const Result result = run(Words{"--report", "page.html"} + files + Words{"--json"});
    EXPECT_EQ(result.code, 0) << result.err;
    return json::parse(result.out);
  };
  const json of_file = report({"tuned.json"});
  const json of_journal = report({"tuned.json.journal"});
  EXPECT_EQ(of_file["records"].size(), 2U);
  EXPECT_EQ(of_journal["records"], of_file["records"]);
  EXPECT_EQ(of_journal["devices"], of_file["devices"]);
  EXPECT_EQ(of_journal["progress"].size(), 2U);
  EXPECT_FALSE(of_journal["sources"][0].contains("note")) << of_journal["sources"];
  const json both = report({"tuned.json", "tuned.json.journal"});
  EXPECT_EQ(both["records"], of_file["records"]) << "once each";
  EXPECT_EQ(both["devices"].size(), 1U);
}

}  // namespace
}  // namespace loratune
