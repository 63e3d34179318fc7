// --report as a program: what it writes, and what it leaves alone.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "device/process.h"
#include "fictional.h"
#include "harness/report/page.h"
#include "report_inputs.h"

namespace loratune {
namespace {

class ReportMode : public testing::Test {
 protected:
  Result report(const Words& words) {
    return Process(folder_, Words{"--report"} + words, {"OCL_ICD_VENDORS=/nonexistent"}).wait();
  }
  void expect_refused(const Words& words, const std::string& why) {
    const Result result = report(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(complaints(result), 1) << result.err;
    EXPECT_NE(result.err.find(why), std::string::npos) << result.err;
  }

  TemporaryFolder folder_;
  const std::string tuned_ = fictional::path();
};

TEST_F(ReportMode, WritesAPageWithoutADevice) {
  const Result result = report({"page.html", tuned_, "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string page = read_bytes(folder_ / "page.html");
  EXPECT_TRUE(page.starts_with(kPageMark));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  const auto data = nlohmann::json::parse(result.out);
  EXPECT_EQ(data["records"].size(), fictional::file().records.size());
  EXPECT_EQ(make_page(data), page) << "--json is the page's data";
}

TEST_F(ReportMode, AnInputMayHaveANameThatIsNoUtf8) {
  const std::string name = "tuned\xff.json";
  write_bytes(folder_ / name, read_bytes(tuned_));
  const Result result = report({"page.html", name, "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(make_page(nlohmann::json::parse(result.out)), read_bytes(folder_ / "page.html"));
}

TEST_F(ReportMode, AFileThatCannotBeReadIsLeftAsItIs) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads every file";
  write_bytes(folder_ / "closed.html", "mine");
  std::filesystem::permissions(folder_ / "closed.html", std::filesystem::perms::owner_write);
  expect_refused({"closed.html", tuned_}, "cannot be read");
  std::filesystem::permissions(folder_ / "closed.html", std::filesystem::perms::owner_all);
  EXPECT_EQ(read_bytes(folder_ / "closed.html"), "mine");
}

TEST_F(ReportMode, SaysWhatThePageHolds) {
  const auto said = [&](const nlohmann::json& bench) {
    write_bytes(folder_ / "bench.json", bench.dump());
    return report({"page.html", "bench.json"}).err;
  };
  nlohmann::json bench = report_inputs::bench();
  EXPECT_NE(said(bench).find(" MB, 1 device, 3 measured times)"), std::string::npos) << said(bench);
  bench["benchmarks"].erase(bench["benchmarks"].begin() + 1, bench["benchmarks"].end());
  EXPECT_NE(said(bench).find(" MB, 1 device, 1 measured time)"), std::string::npos) << said(bench);
}

TEST_F(ReportMode, WritesOverItsOwnPagesOnly) {
  write_bytes(folder_ / "empty.html", "");
  EXPECT_EQ(report({"empty.html", tuned_}).code, 0);
  EXPECT_EQ(report({"empty.html", tuned_}).code, 0) << "its own page";
  const std::string sweep = read_bytes(tuned_);
  for (const std::string& foreign :
       {sweep, std::string("<!doctype html>\n<p>mine"), std::string("x")}) {
    write_bytes(folder_ / "foreign", foreign);
    expect_refused({"foreign", tuned_}, "'foreign' exists and is no page of a report");
    EXPECT_EQ(read_bytes(folder_ / "foreign"), foreign);
  }
  write_bytes(folder_ / "own.json", sweep);
  expect_refused({"own.json", "own.json"}, "is the file of an input too");
  EXPECT_EQ(read_bytes(folder_ / "own.json"), sweep);
  expect_refused({"no/page.html", tuned_}, "cannot be written");
  expect_refused({"/dev/null", tuned_}, "is no regular file");
}

TEST_F(ReportMode, WantsAPageAndAFile) {
  expect_refused({"page.html"}, "--report wants the page to write and the files to show");
  expect_refused({"page.html", "absent.json"}, "absent.json");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "page.html")) << "nothing is left behind";
  expect_refused({"page.html", tuned_, "--seed", "3"}, "--seed is not for --report");
}

}  // namespace
}  // namespace loratune
