// The data and the page of a report, out of inputs that are made up.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>

#include "harness/base/failure.h"
#include "harness/report/figures.h"
#include "harness/report/page.h"
#include "harness/report/page_data.h"
#include "report_inputs.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;
using report_inputs::f16;

class ReportTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& bytes) const {
    write_bytes(folder_ / name, bytes);
    return (folder_ / name).string();
  }
  std::string write_compressed(const std::string& name, const std::string& bytes) const {
    const std::string path = (folder_ / name).string();
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }
  std::string refusal(const std::string& path) const {
    try {
      read_input(path);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitUsage);
      const std::string line = failure.what();
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      return line;
    }
    return "read without complaint";
  }
  // One of each kind, under names that say nothing of it.
  std::vector<Input> all_kinds() const {
    const GateResult gate = report_inputs::gate();
    return {read_input(fictional::path()), read_input(write("1", report_inputs::bench().dump())),
            read_input(write("2", serialize(report_inputs::recording()))),
            read_input(write("3", report_inputs::journal())),
            read_input(write("4", to_json_text(gate, judge(gate))))};
  }

  TemporaryFolder folder_;
};

TEST_F(ReportTest, KnowsAFileByWhatItHolds) {
  const std::vector<Input> inputs = all_kinds();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    constexpr std::size_t kKinds[] = {0, 3, 2, 1, 4};  // of Input::content
    EXPECT_EQ(inputs[i].content.index(), kKinds[i]) << i;
  }
  EXPECT_EQ(read_input(write_compressed("a", report_inputs::bench().dump())).content.index(), 3U);
  EXPECT_EQ(
      read_input(write_compressed("b", serialize(report_inputs::recording()))).content.index(), 2U);
  EXPECT_EQ(read_input(write_compressed("c", serialize(fictional::file()))).content.index(), 0U);
}

TEST_F(ReportTest, RefusesWhatIsNoInputInOneLine) {
  const auto expect_refused = [&](const std::string& path, const std::string& why) {
    const std::string line = refusal(path);
    EXPECT_NE(line.find(why), std::string::npos) << line;
  };
  expect_refused((folder_ / "absent").string(), "absent");
  expect_refused(folder_.path().string(), "is ");
  expect_refused("/dev/zero", "regular");
  expect_refused(write("empty", ""), "is empty");
  expect_refused(write("text", "my notes\n"), "parse");
  expect_refused(write("other", "{}"), "is no tuned file, journal, recording");
  expect_refused(write("list", "[1]"), "is no tuned file, journal, recording");
  expect_refused(write("plans", R"({"schema":"loratune/plans"})"), "is no tuned file, journal");
  expect_refused(write("tuned", R"({"schema":"loratune/tuned"})"), "is no sound tuned file");
  expect_refused(write("gate", R"({"schema":"loratune/gate","version":1})"), "tool");
  expect_refused(write("deep", std::string(100, '[')), "deep");
  const std::string whole = write_compressed("torn", report_inputs::bench().dump());
  write_bytes(whole, read_bytes(whole).substr(0, 100));
  expect_refused(whole, "torn' is damaged");
  json foreign = report_inputs::bench();
  foreign["benchmarks"][0]["name"] = "BM_memcpy/8\x1b[2J";
  expect_refused(write("foreign", foreign.dump()), "benchmark 'BM_memcpy/8");
}

TEST_F(ReportTest, ABenchFileGivesTimesAndLimits) {
  const BenchFile file = bench_file_from_json(report_inputs::bench());
  EXPECT_EQ(file.driver, "1.0");
  EXPECT_EQ(file.floor_ns, 3761.05);
  EXPECT_EQ(file.cache_gbps, 400.5);
  EXPECT_EQ(file.failed, 1);
  ASSERT_EQ(file.times.size(), 3U) << "neither an aggregate nor a repetition";
  EXPECT_EQ(file.times[1].rival, "split");
  EXPECT_EQ(file.times[1].problem, f16(1));
  EXPECT_EQ(file.times[1].wall_ns, 18000);
  EXPECT_EQ(file.times[1].vs_default, 0) << "the file does not say";
  json damaged = report_inputs::bench();
  damaged["context"]["launch_floor_ns"] = "-3";
  damaged["context"]["copy_gb_per_s"] = 5;
  damaged["benchmarks"][0]["wall_ns"] = "fast";
  const BenchFile read = bench_file_from_json(damaged);
  EXPECT_EQ(read.floor_ns, 0);
  EXPECT_EQ(read.copy_gbps, 0);
  EXPECT_EQ(read.failed, 2);
  damaged["benchmarks"][0]["wall_ns"] = 1e200;
  EXPECT_THROW(bench_file_from_json(damaged), std::invalid_argument);
}

TEST_F(ReportTest, AParametersCostIsOfTheBestConfigWithItAloneChanged) {
  Catalogue catalogue;
  const json costs = parameter_costs(report_inputs::recording(), catalogue);
  ASSERT_EQ(costs.size(), 1U);
  EXPECT_EQ(costs[0]["default_ns"], 3000);
  EXPECT_EQ(costs[0]["configs"], 7);
  ASSERT_EQ(costs[0]["variants"].size(), 1U) << "a variant of which nothing is correct has none";
  const json& square = costs[0]["variants"][0];
  EXPECT_EQ(square["config"], "ROWS=2 COLUMNS=8");
  EXPECT_EQ(square["time_ns"], 2000);
  ASSERT_EQ(square["parameters"].size(), 2U);
  const json& rows = square["parameters"][0];
  EXPECT_EQ(rows["name"], "ROWS");
  EXPECT_EQ(rows["best"], 2);
  const json expected = {{{"value", 1}, {"outcome", "slow"}, {"time_ns", 7000}},
                         {{"value", 4}, {"outcome", "compile"}},
                         {{"value", 2}, {"outcome", "correct"}, {"time_ns", 2000}, {"rounds", 2}}};
  EXPECT_EQ(rows["values"], expected);
  ASSERT_EQ(square["parameters"][1]["values"].size(), 2U) << "ROWS=1 and 4 have other COLUMNS too";
  EXPECT_EQ(square["parameters"][1]["values"][0]["time_ns"], 2500);
}

TEST_F(ReportTest, ASearchsProgressIsItsBestProbeSoFar) {
  Catalogue catalogue;
  const JournalContent journal = read_journal(write("j", report_inputs::journal()));
  const json progress = search_progress(journal, catalogue);
  ASSERT_EQ(progress.size(), 1U);
  EXPECT_EQ(progress[0]["tried"], 5);
  EXPECT_EQ(progress[0]["default_ns"], 10000);
  EXPECT_EQ(progress[0]["points"], json({{1, 0, 10000}, {3, 2, 8000}, {5, 4.5, 8000}}));
}

// The page makes a key again out of these parts.
TEST_F(ReportTest, AProblemsPartsMakeItsKey) {
  Catalogue catalogue;
  for (const char* key :
       {"fwd_m1_k1024_n512_r8_f16_acc", "fwd_m1_k1024_n512_r8_f32_set",
        "fwd_m16_k4096_n4096+1024+1024_r16_bf16_acc", "fwd_m16_k4096_n4096_r16_f32_w_f16_acc_a8",
        "fwd_m16_k16_n16_r16_f16_acc_dora_align64"}) {
    std::string why;
    const auto problem = parse_problem(key, why);
    ASSERT_TRUE(problem) << why;
    const std::size_t number = catalogue.problem(*problem);
    const json one = catalogue.problems()[number];
    EXPECT_EQ(catalogue.problem(*problem), number) << "it has one number";
    EXPECT_EQ("fwd_m" + one["m"].dump() + "_k" + one["k"].dump() + "_n" +
                  one["columns"].get<std::string>() + "_r" + one["rank"].dump() + "_" +
                  one["kind"].get<std::string>(),
              key);
  }
  EXPECT_EQ(catalogue.problems()[2]["n"], 6144);
}

TEST_F(ReportTest, DevicesThatSeveralFilesNameAreOne) {
  const json data = page_data(all_kinds());
  EXPECT_EQ(data["devices"].size(), 5U) << "those of the tuned file";
  EXPECT_EQ(data["times"][0]["device"], data["records"][0]["device"]);
  EXPECT_EQ(data["recorded"][0]["device"], data["records"][0]["device"]);
  EXPECT_EQ(data["progress"][0]["device"], data["records"][0]["device"]);
  EXPECT_EQ(data["gates"][0]["device"], data["records"][0]["device"]);
  std::set<std::string> labels;
  for (const json& device : data["devices"]) labels.insert(device["label"].get<std::string>());
  EXPECT_EQ(labels.size(), 5U) << "two have one name, and another driver";
}

TEST_F(ReportTest, TwoSweepsOfOneDeviceStandSideBySide) {
  const Input one = read_input(fictional::path());
  const json same = page_data(std::vector<Input>{one, one});
  EXPECT_EQ(same["devices"].size(), 5U) << "the same records, as a file and its journal have them";
  EXPECT_EQ(same["records"].size(), fictional::file().records.size());
  TunedFile later = fictional::file();
  for (Record& record : later.records) record.time_ns += 1;
  const json data = page_data(std::vector<Input>{one, {"results/again.json", later}});
  EXPECT_EQ(data["devices"].size(), 2 * 5U);
  EXPECT_EQ(data["records"].size(), 2 * fictional::file().records.size());
  const std::string label = data["devices"].back()["label"];
  EXPECT_NE(label.find("again.json"), std::string::npos) << label;
}

TEST_F(ReportTest, AJournalOfAnotherBuildGivesItsProgressAndSaysSo) {
  const json data = page_data(std::vector<Input>{read_input(write("j", report_inputs::journal()))});
  EXPECT_TRUE(data["records"].empty());
  EXPECT_EQ(data["progress"].size(), 1U);
  const std::string note = data["sources"][0]["note"];
  EXPECT_NE(note.find("this build cannot make records of it"), std::string::npos) << note;
}

// The whole document, as the page's program reads it. Where it changes on purpose, the test says
// which file to copy.
TEST_F(ReportTest, TheDocumentIsAsApproved) {
  json data = page_data(all_kinds());
  data.erase("tool");
  for (json& source : data["sources"]) {
    const std::string path = source["path"];
    source["path"] = path.substr(path.rfind('/') + 1);
  }
  const std::string approved = LORATUNE_SOURCE_DIR "/tests/data/report/page_data.json";
  const std::string made = data.dump(1, ' ', true) + "\n";
  if (made == read_bytes(approved)) return;
  const std::string kept = testing::TempDir() + "page_data.json";
  write_bytes(kept, made);
  FAIL() << "cp " << kept << " " << approved << "   # where the change is meant";
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(ReportTest, NoNameGetsOutOfTheData) {
  const std::string hostile =
      "</script><script>alert(1)</script><!-- \"'`&amp; \xe2\x80\xa8\xe2\x80\xa9 \xff\x01 ${x}";
  TunedFile tuned = fictional::file();
  for (auto& [id, device] : tuned.devices) device.name = device.driver = hostile;
  json bench = report_inputs::bench();
  bench["context"]["device"] = "</script><b>";
  bench["benchmarks"][0]["label"] = "</SCRIPT><script>alert(2)</script>\xe2\x80\xa8";
  const std::vector<Input> inputs = {{hostile, tuned}, {"b", bench_file_from_json(bench)}};
  const json data = page_data(inputs);
  const std::string page = make_page(data);
  const std::string plain = make_page(json::object());
  for (const char* part : {"<", ">", "</script", "<!--", "&amp;"}) {
    EXPECT_EQ(count_of(page, part), count_of(plain, part)) << part;
  }
  EXPECT_EQ(page.find("\xe2\x80\xa8"), std::string::npos);
  const std::string opening = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(opening) + opening.size();
  const std::string text = page.substr(begin, page.find("</script>", begin) - begin);
  const json read = json::parse(text);
  EXPECT_EQ(read["times"], data["times"]);
  EXPECT_EQ(read["times"][0]["label"], bench["benchmarks"][0]["label"]);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
}

TEST_F(ReportTest, APageIsSmallAndFetchesNothing) {
  const std::string results = LORATUNE_SOURCE_DIR "/results/";
  const std::vector<Input> inputs = {read_input(results + "tuned/nvidia-h200.json"),
                                     read_input(results + "bench/nvidia-h200.json.gz"),
                                     read_input(results + "recorded/nvidia-h200.jsonl.gz")};
  const std::string page = make_page(page_data(inputs));
  EXPECT_TRUE(page.starts_with(kPageMark));
  EXPECT_LT(page.size(), 2U << 20);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const char* fetched : {"<link", "<img", "src=", "@import", "@DATA@", "@VEGA@"}) {
    EXPECT_EQ(page.substr(0, page.find("<script>(() => {")).find(fetched), std::string::npos)
        << fetched;
  }
  TunedFile many = fictional::file();
  many.records.clear();
  many.rules.clear();
  for (int m = 1; m <= 5000; ++m) many.records.push_back(fictional::record("d0", f16(m), 8));
  EXPECT_LT(make_page(page_data(std::vector<Input>{{"many", many}})).size(), 5U << 20);
}

}  // namespace
}  // namespace loratune
