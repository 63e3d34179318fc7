// lora-bench whose stdout cannot take what it prints.
#include <gtest/gtest.h>

#include <string>

#include "device/process.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

class LostOutput : public testing::Test {
 protected:
  // Runs lora-bench with these words of a shell behind its name, on a machine without a device.
  Result run(const std::string& words) {
    return Process(folder_, {"-c", "exec \"" LORATUNE_BENCH "\" " + words},
                   {"OCL_ICD_VENDORS=/nonexistent"}, "/bin/sh")
        .wait();
  }

  void expect_lost(const std::string& words) {
    EXPECT_EQ(run(words).code, 0) << words;
    for (const char* lost : {" >/dev/full", " >&-"}) {
      const Result result = run(words + lost);
      EXPECT_EQ(result.code, 2) << words << lost << "\n" << result.err;
      EXPECT_EQ(complaints(result), 1) << words << lost << "\n" << result.err;
      EXPECT_NE(result.err.find("the output is not whole"), std::string::npos) << result.err;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(LostOutput, Is2InEveryMode) {
  const std::string tuned = LORATUNE_SOURCE_DIR "/tests/data/fictional.json";
  expect_lost("--help");
  expect_lost("--list");
  expect_lost("--list --json");
  expect_lost("--pick m1_k64_n64_r4_f32_acc");
  expect_lost("--pick m1_k64_n64_r4_f32_acc --json --tuned " + tuned);
  expect_lost("--merge " + tuned + " --json --out out.json");
}

TEST_F(LostOutput, OfAModeThatPrintsNothingIsNone) {
  const std::string tuned = LORATUNE_SOURCE_DIR "/tests/data/fictional.json";
  EXPECT_EQ(run("--merge " + tuned + " --out out.json >/dev/full").code, 0);
  EXPECT_EQ(run("--merge " + tuned + " --out out.json >&-").code, 0);
}

TEST_F(LostOutput, HidesNoWorseCode) {
  EXPECT_EQ(run("--check >/dev/full").code, 77);
  EXPECT_EQ(run("--check >&-").code, 77);
}

// A closed stdout leaves its number to the file that is opened next.
TEST_F(LostOutput, IsNotWrittenIntoAFileOfOurs) {
  const std::string merge = "--merge " LORATUNE_SOURCE_DIR "/tests/data/fictional.json --json";
  ASSERT_EQ(run(merge + " --out good.json").code, 0);
  EXPECT_EQ(run(merge + " --out out.json >&- 2>&- <&-").code, 2);
  EXPECT_EQ(read_bytes(folder_ / "out.json"), read_bytes(folder_ / "good.json"));
}

}  // namespace
}  // namespace loratune
