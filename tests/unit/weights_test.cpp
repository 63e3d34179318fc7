#include <gtest/gtest.h>

#include <fstream>

#include "harness/base/failure.h"
#include "harness/sweep/problem_weights.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

std::vector<Problem> problems() {
  std::string why;
  return {*parse_problem("m1_k512_n512_r8_f32_acc", why),
          *parse_problem("m16_k512_n512_r8_f32_acc", why)};
}

TEST(Weights, AreOfTheProblemsInTheirOrderAndOneByDefault) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.json";
  std::ofstream(path) << R"({"fwd_m16_k512_n512_r8_f32_acc": 2.5, "m9_k9_n9_r9_f16_set": 7})";
  EXPECT_EQ(read_weights(path, problems()), (std::vector<double>{1, 2.5}));
}

TEST(Weights, AMarkOfUtf8AndCarriageReturnsAreAccepted) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.json";
  std::ofstream(path) << "\xef\xbb\xbf{\r\n  \"m16_k512_n512_r8_f32_acc\": 2.5 \r\n}\r\n  ";
  EXPECT_EQ(read_weights(path, problems()), (std::vector<double>{1, 2.5}));
}

TEST(Weights, AnErrorNamesFileAndLineInPrintableText) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.json";
  const auto refusal = [&](const std::string& text) -> std::string {
    std::ofstream(path) << text;
    try {
      read_weights(path, problems());
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "read";
  };
  for (const char* text : {"{\n\n\"m1_k512_n512_r8_f32_acc\": 0}", "{\n\n\"m1_k512\": 1}",
                           "{\n\n\"m1_\x1b[31m\": 1}", "{\n\n", "{\n\n\"a\": [[[["}) {
    const std::string line = refusal(text);
    EXPECT_NE(line.find(path), std::string::npos) << line;
    EXPECT_NE(line.find("line 3"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\x1b\n"), std::string::npos) << line;
  }
  EXPECT_NE(refusal(std::string(200000, '[')).find(path), std::string::npos);
  EXPECT_THROW(read_weights("/dev/zero", problems()), Failure);
}

TEST(Weights, AProblemThatStandsTwiceIsRefusedByName) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.json";
  for (const char* second : {"m1_k512_n512_r8_f32_acc", "fwd_m1_k512_n512_r8_f32_acc"}) {
    std::ofstream(path) << "{\"m1_k512_n512_r8_f32_acc\": 2,\n\"" << second << "\": 2}";
    try {
      read_weights(path, problems());
      ADD_FAILURE() << "was read, with " << second;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitUsage);
      EXPECT_NE(std::string(failure.what()).find("m1_k512_n512_r8_f32_acc"), std::string::npos);
      EXPECT_NE(std::string(failure.what()).find(path), std::string::npos);
    }
  }
}

TEST(Weights, WhatIsNoWeightsFileIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.json";
  EXPECT_THROW(read_weights(path, problems()), Failure) << "there is no file";
  for (const char* text :
       {"", "[1]", "{", R"({"m1_k512_n512_r8_f32_acc": 0})", R"({"m1_k512_n512_r8_f32_acc": -1})",
        R"({"m1_k512_n512_r8_f32_acc": "2"})", R"({"m1_k512_n512_r8_f32_acc": 1e999})",
        R"({"m1_k512": 2})", R"({"m9_k9_n9_r9_f16_set": 7})", "{}"}) {
    std::ofstream(path) << text;
    EXPECT_THROW(read_weights(path, problems()), Failure) << text;
  }
}

}  // namespace
}  // namespace loratune
