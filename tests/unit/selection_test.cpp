// The file of --problems.
#include "harness/base/selection.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "harness/base/failure.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

class ProblemsFile : public testing::Test {
 protected:
  std::vector<Problem> read(const std::string& text) {
    write_bytes(folder_ / "keys", text);
    Options options;
    options.problems_file = folder_ / "keys";
    return select_problems(options);
  }

  static std::string refusal(const std::string& path) {
    Options options;
    options.problems_file = path;
    try {
      select_problems(options);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitUsage);
      return failure.what();
    }
    return "read";
  }

  TemporaryFolder folder_;
};

TEST_F(ProblemsFile, IsReadAsEditorsOfAllSystemsWriteIt) {
  const std::vector<Problem> plain =
      read("m1_k512_n512_r8_f32_acc\nfwd_m16_k512_n512_r8_f32_acc\n");
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(read("\xef\xbb\xbf# comment\r\n\r\n m1_k512_n512_r8_f32_acc \t\r\n"
                 "  # another\r\nm16_k512_n512_r8_f32_acc  # a remark"),
            plain);
}

TEST_F(ProblemsFile, AnErrorNamesFileAndLineInPrintableText) {
  const std::string path = folder_ / "keys";
  for (const char* text : {"# keys\n\nm1_k512\n", "\n\nm1_\x1b[31m\n",
                           "m1_k512_n512_r8_f32_acc\n\nm1_k0_n512_r8_f32_acc"}) {
    write_bytes(path, text);
    const std::string line = refusal(path);
    EXPECT_NE(line.find("'" + path + "', line 3: "), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\x1b\n"), std::string::npos) << line;
  }
  write_bytes(path, "# nothing\n");
  EXPECT_EQ(refusal(path), "--problems '" + path + "' holds no problem");
}

TEST_F(ProblemsFile, IsARegularFileOfABoundedSize) {
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {std::string("/dev/zero"), (folder_ / "fifo").string()}) {
    EXPECT_EQ(refusal(path), "--problems '" + path + "' is no regular file");
  }
  write_bytes(folder_ / "large", std::string((std::size_t{16} << 20) + 1, '\n'));
  EXPECT_NE(refusal(folder_ / "large").find("is larger than"), std::string::npos);
}

// Of 100,000 problems none may be compared with all others: that takes half a minute.
TEST(Distinct, KeepsEachProblemOnceInTheOrderOfTheFirst) {
  std::vector<Problem> once;
  for (int i = 0; i < 100'000; ++i) {
    Problem problem;
    problem.m = 1 + i * 7919 % 100'000;
    problem.k = problem.n = 512;
    problem.rank = 8;
    once.push_back(problem);
  }
  std::vector<Problem> twice = once;
  twice.insert(twice.end(), once.rbegin(), once.rend());
  EXPECT_TRUE(distinct(twice) == once);
}

TEST(Distinct, TellsProblemsByAllThatTheyAre) {
  const Problem plain = {.rank = 8, .m = 1, .k = 64, .n = 64};
  std::vector<Problem> all(11, plain);
  all[1].dtype = Dtype::f16;
  all[2].accumulate = false;
  all[3].rank = 4;
  all[4].align = 64;
  all[5].m = 2;
  all[6].k = 32;
  all[7].n = 32;
  all[8].weights = Dtype::bf16;
  all[9].adapters = 2;
  all[10].dora = true;
  all.push_back(plain);
  all.back().slices = {{32, 32}, 2};
  EXPECT_TRUE(distinct(all) == all);
  Problem stated = plain;  // the type that the weights have anyway
  stated.weights = plain.dtype;
  EXPECT_EQ(distinct({plain, stated}).size(), 1U);
}

}  // namespace
}  // namespace loratune
