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
