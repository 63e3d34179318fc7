#include "loratune/variants/problem.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

Problem typical() {
  Problem problem;
  problem.m = 1;
  problem.k = 1024;
  problem.n = 512;
  problem.rank = 8;
  problem.dtype = Dtype::f16;
  return problem;
}

TEST(Problem, KeyAndBack) {
  EXPECT_EQ(to_string(typical()), "fwd_m1_k1024_n512_r8_f16_acc");
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    for (const bool accumulate : {false, true}) {
      for (const int align : {0, 16}) {
        for (const std::int64_t m : {std::int64_t{0}, std::int64_t{1}, kMaxExtent}) {
          Problem problem = typical();
          problem.dtype = dtype;
          problem.accumulate = accumulate;
          problem.align = align;
          problem.m = m;
          std::string why;
          EXPECT_EQ(parse_problem(to_string(problem), why), problem) << to_string(problem) << why;
        }
      }
    }
  }
}

TEST(Problem, TypedKeyMayLeaveOutTheOp) {
  std::string why;
  EXPECT_EQ(parse_problem("m1_k1024_n512_r8_f16_acc", why), typical());
}

TEST(Problem, RefusesWhatIsNoKey) {
  for (const char* key :
       {"", "fwd_", "m1", "m1_k1_n1_r1_f32", "m1_k1_n1_r1_f64_acc", "m1_k1_n1_r1_f32_add",
        "m1_k1_n1_r1_f32_acc ", "m1_k1_n1_r1_f32_acc_align", "m1_k1_n1_r1_f32_acc_align0",
        "m1_k1_n1_r1_f32_acc_align3", "m-1_k1_n1_r1_f32_acc", "m+1_k1_n1_r1_f32_acc",
        "m1.0_k1_n1_r1_f32_acc", "bwd_m1_k1_n1_r1_f32_acc"}) {
    std::string why;
    EXPECT_FALSE(parse_problem(key, why)) << key;
    EXPECT_FALSE(why.empty()) << key;
  }
}

TEST(Problem, RefusesWhatIsOutOfRangeAndSaysWhich) {
  const std::pair<const char*, const char*> cases[] = {
      {"m1_k0_n1_r1_f32_acc", "k = 0"},
      {"m1_k1_n0_r1_f32_acc", "n = 0"},
      {"m1_k1_n1_r0_f32_acc", "rank = 0"},
      {"m1_k1_n1_r1025_f32_acc", "rank = 1025"},
      {"m2147483648_k1_n1_r1_f32_acc", "m = 2147483648"},
      {"m1_k2147483648_n1_r1_f32_acc", "k = 2147483648"},
      {"m1_k1_n1_r99999999999_f32_acc", "rank"},
  };
  for (const auto& [key, reason] : cases) {
    std::string why;
    EXPECT_FALSE(parse_problem(key, why)) << key;
    EXPECT_NE(why.find(reason), std::string::npos) << why;
  }
  std::string why;
  EXPECT_FALSE(parse_problem("m99999999999999999999_k1_n1_r1_f32_acc", why));
}

TEST(Problem, CountsWork) {
  EXPECT_EQ(useful_flops(typical()), 2.0 * 8 * (1024 + 512));
  EXPECT_EQ(compulsory_bytes(typical()), 2.0 * (1024 + 8 * (1024 + 512) + 2 * 512));
  Problem set = typical();
  set.accumulate = false;
  EXPECT_EQ(compulsory_bytes(typical()) - compulsory_bytes(set), 2.0 * 512);
}

}  // namespace
}  // namespace loratune
