// --merge into a tuned file that is there already.
#include <gtest/gtest.h>

#include <string>

#include "device/process.h"
#include "loratune/dispatch/tuned_file.h"
#include "report_inputs.h"

namespace loratune {
namespace {

class MergeMode : public testing::Test {
 protected:
  Result merge(const Words& words) {
    return Process(folder_, Words{"--merge"} + words, {"OCL_ICD_VENDORS=/nonexistent"}).wait();
  }
  void write(const std::string& name, const TunedFile& file) {
    ASSERT_EQ(write_tuned_file(folder_ / name, file), "");
  }
  TunedFile read(const std::string& name) { return load_tuned_file(folder_ / name).file.value(); }

  TemporaryFolder folder_;
  const TunedFile file_ =
      load_tuned_file(LORATUNE_SOURCE_DIR "/tests/data/fictional.json").file.value();
};

TEST_F(MergeMode, KeepsWhatTheFileHasOfOtherDevices) {
  TunedFile other = file_;
  for (auto& [id, device] : other.devices) device.name = "Another " + device.name;
  write("one.json", file_);
  write("out.json", other);
  EXPECT_EQ(merge({"one.json", "--out", "out.json"}).code, 0);
  const TunedFile now = read("out.json");
  EXPECT_EQ(now.records.size(), file_.records.size() + other.records.size());
  EXPECT_EQ(now.rules.size(), file_.rules.size() + other.rules.size());
  EXPECT_EQ(merge({"one.json", "--out", "out.json"}).code, 0);
  EXPECT_EQ(read("out.json"), now) << "once more";
}

TEST_F(MergeMode, LosesRecordsOfAnotherBuildOnlyWhereTheirVariantsAreNamed) {
  TunedFile other = file_;
  std::string names;
  for (auto& [name, kernel] : other.kernels) {
    kernel.source_sha256 = std::string(64, '1');
    names += (names.empty() ? "" : ",") + name;
  }
  for (auto& [id, device] : other.devices) device.name = "Another " + device.name;
  write("one.json", file_);
  write("out.json", other);
  const Result refused = merge({"one.json", "--out", "out.json"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(complaints(refused), 1) << refused.err;
  EXPECT_NE(refused.err.find("of another build, on Another "), std::string::npos) << refused.err;
  EXPECT_EQ(read("out.json"), other);
  const Result named = merge({"one.json", "--out", "out.json", "--forget", names});
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_NE(named.err.find("of another build, on Another "), std::string::npos) << named.err;
  EXPECT_EQ(read("out.json").records.size(), file_.records.size());
}

TEST_F(MergeMode, JoinsFilesOfDifferentBuildsWhereTheLossIsNamed) {
  TunedFile other = file_;
  std::string names;
  for (auto& [name, kernel] : other.kernels) {
    kernel.source_sha256 = std::string(64, '1');
    names += (names.empty() ? "" : ",") + name;
  }
  write("one.json", file_);
  write("other.json", other);
  const Words files = {"one.json", "other.json", "--out", "out.json"};
  const Result refused = merge(files);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(complaints(refused), 1) << refused.err;
  EXPECT_NE(refused.err.find("'other.json' loses "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--forget "), std::string::npos) << refused.err;
  const Result named = merge(files + Words{"--forget", names});
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(read("out.json").records.size(), file_.records.size());
  EXPECT_EQ(read("out.json").kernels.at("naive"), file_.kernels.at("naive"))
      << "neither is of this build: the first stays";
}

TEST_F(MergeMode, ForgetsOnlyWhatIsAVariant) {
  TunedFile removed = file_;
  removed.kernels["of_before"] = {std::string(64, '1'), 1};
  write("one.json", file_);
  write("removed.json", removed);
  const Words out = {"--out", "out.json", "--forget"};
  const Result refused = merge(Words{"one.json"} + out + Words{"naive,of_before"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--forget: neither this build nor a file has a variant 'of_before'"),
            std::string::npos)
      << refused.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.json"));
  EXPECT_EQ(merge(Words{"removed.json"} + out + Words{"naive,of_before"}).code, 0);
}

TEST_F(MergeMode, TakesAnEmptyFileForNone) {
  write("one.json", file_);
  write_bytes(folder_ / "out.json", "");
  EXPECT_EQ(merge({"one.json", "--out", "out.json"}).code, 0);
  EXPECT_EQ(read("out.json").records.size(), file_.records.size());
}

TEST_F(MergeMode, NamesTheJournalThatItCannotReplay) {
  write_bytes(folder_ / "old.journal", report_inputs::journal());  // of a build of other variants
  const Result result = merge({"old.journal", "--out", "out.json"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(complaints(result), 1) << result.err;
  EXPECT_NE(result.err.find("journal 'old.journal': variant imaginary"), std::string::npos)
      << result.err;
}

}  // namespace
}  // namespace loratune
