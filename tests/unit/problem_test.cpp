#include "loratune/variants/problem.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <tuple>

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

// The problem, in words of which each is one axis, has the key, and the key the problem.
void expect_key(const Problem& problem, const std::string& key) {
  EXPECT_EQ(invalid_reason(problem), "") << key;
  EXPECT_EQ(to_string(problem), key);
  std::string why;
  EXPECT_EQ(parse_problem(key, why), problem) << why;
}

TEST(Problem, EveryAxisHasItsPlaceInTheKey) {
  Problem problem = typical();
  problem.dtype = Dtype::bf16;
  expect_key(problem, "fwd_m1_k1024_n512_r8_bf16_acc");
  problem.weights = Dtype::f32;
  expect_key(problem, "fwd_m1_k1024_n512_r8_bf16_w_f32_acc");
  problem.dora = true;
  expect_key(problem, "fwd_m1_k1024_n512_r8_bf16_w_f32_acc_dora");
  problem.adapters = kMaxAdapters;
  expect_key(problem, "fwd_m1_k1024_n512_r8_bf16_w_f32_acc_dora_a65535");
  problem.align = 16;
  expect_key(problem, "fwd_m1_k1024_n512_r8_bf16_w_f32_acc_dora_a65535_align16");
  problem.slices = {{256, 128, 128}, 3};
  expect_key(problem, "fwd_m1_k1024_n256+128+128_r8_bf16_w_f32_acc_dora_a65535_align16");
  problem.slices = {{64, 64, 64, 64, 64, 64, 64, 64}, kMaxSlices};
  problem.dora = false;
  problem.accumulate = false;
  expect_key(problem, "fwd_m1_k1024_n64+64+64+64+64+64+64+64_r8_bf16_w_f32_set_a65535_align16");
}

TEST(Problem, AnAlignmentThatIsTheElementsOwnCountsAsNone) {
  for (const auto& [dtype, own, more] :
       {std::tuple{"f32", "4", "8"}, std::tuple{"f16", "2", "4"}, std::tuple{"bf16", "2", "4"}}) {
    std::string why;
    const std::string key = "fwd_m1_k64_n64_r4_" + std::string(dtype) + "_acc";
    const auto plain = parse_problem(key, why);
    ASSERT_TRUE(plain) << why;
    EXPECT_EQ(parse_problem(key + "_align" + own, why), plain) << why;
    const auto aligned = parse_problem(key + "_align" + more, why);
    ASSERT_TRUE(aligned) << why;
    EXPECT_EQ(to_string(*aligned), key + "_align" + more);
  }
  std::string why;
  EXPECT_FALSE(parse_problem("fwd_m1_k64_n64_r4_f32_acc_align2", why)) << "less than an element";
}

TEST(Problem, AllPairsOfTypesAreDistinct) {
  std::set<std::string> keys;
  for (const Dtype data : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const Dtype weights : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      Problem problem = typical();
      set_types(problem, {data, weights});
      EXPECT_EQ(problem.weights.has_value(), data != weights);
      EXPECT_EQ(types_of(problem), Types(data, weights));
      EXPECT_EQ(parse_types(to_string(types_of(problem))), types_of(problem));
      expect_key(problem, to_string(problem));
      keys.insert(to_string(problem));
      // Said or not, the same type is the same problem.
      Problem stated = problem;
      stated.weights = weights;
      EXPECT_EQ(stated, problem);
      EXPECT_EQ(to_string(stated), to_string(problem));
    }
  }
  EXPECT_EQ(keys.size(), 9U);
  for (const char* none : {"", "f", "f32_", "f32_w", "f32_w_", "f32_w_f64", "f32f16", "f32_f16"}) {
    EXPECT_FALSE(parse_types(none)) << none;
  }
}

TEST(Problem, SlicesAreTwoToEightAndAddUp) {
  EXPECT_EQ(to_string(*parse_slices("4096+1024+1024")), "4096+1024+1024");
  for (const char* none : {"", "1", "1+", "+1", "1+0", "0+1", "1++1", "1+1+1+1+1+1+1+1+1", "1+1 ",
                           "-1+2", "1+2147483648"}) {
    EXPECT_FALSE(parse_slices(none)) << none;
  }
  Problem problem = typical();
  problem.slices = {{256, 256}, 2};
  EXPECT_EQ(invalid_reason(problem), "");
  problem.slices.columns[1] = 255;
  EXPECT_NE(invalid_reason(problem).find("511"), std::string::npos) << invalid_reason(problem);
  problem.slices = {{512}, 1};
  EXPECT_NE(invalid_reason(problem), "") << "a group of one";
  problem.slices = {{256, 256, 1}, 2};
  EXPECT_NE(invalid_reason(problem), "") << "columns behind the last slice";
  problem.slices = {{512}, 0};
  EXPECT_NE(invalid_reason(problem), "");
  for (const int count : {-1, 9, INT32_MAX}) {
    problem.slices = {{64, 64, 64, 64, 64, 64, 64, 64}, count};
    EXPECT_NE(invalid_reason(problem), "") << count;
    EXPECT_NE(to_string(problem), "");
  }
}

TEST(Problem, ShapeOfAKindIsTheProblemAgain) {
  Problem problem = typical();
  set_types(problem, {Dtype::f32, Dtype::bf16});
  problem.slices = {{256, 256}, 2};
  problem.adapters = 8;
  problem.dora = true;
  EXPECT_EQ(make_problem(kind_of(problem), problem.m, problem.k, problem.n, problem.rank), problem);
  EXPECT_EQ(h_columns(problem), 16);
  EXPECT_EQ(slice_columns(problem, 1), 256);
  EXPECT_EQ(slice_columns(typical(), 0), 512);
}

TEST(Problem, TypedKeyMayLeaveOutTheOp) {
  std::string why;
  EXPECT_EQ(parse_problem("m1_k1024_n512_r8_f16_acc", why), typical());
}

TEST(Problem, RefusesWhatIsNoKey) {
  for (const char* key : {"",
                          "fwd_",
                          "m1",
                          "m1_k1_n1_r1_f32",
                          "m1_k1_n1_r1_f64_acc",
                          "m1_k1_n1_r1_f32_add",
                          "m1_k1_n1_r1_f32_acc ",
                          "m1_k1_n1_r1_f32_acc_align",
                          "m1_k1_n1_r1_f32_acc_align0",
                          "m1_k1_n1_r1_f32_acc_align3",
                          "m-1_k1_n1_r1_f32_acc",
                          "m+1_k1_n1_r1_f32_acc",
                          "m1.0_k1_n1_r1_f32_acc",
                          "bwd_m1_k1_n1_r1_f32_acc",
                          "m1_k1_n1_r1_f32_w_f64_acc",
                          "m1_k1_n1_r1_f32_w_acc",
                          "m1_k1_n1+_r1_f32_acc",
                          "m1_k1_n+1_r1_f32_acc",
                          "m1_k1_n1+1+1+1+1+1+1+1+1_r1_f32_acc",
                          "m1_k1_n1_r1_f32_acc_a",
                          "m1_k1_n1_r1_f32_acc_a0",
                          "m1_k1_n1_r1_f32_acc_a8_dora",
                          "m1_k1_n1_r1_f32_acc_align4_a8",
                          "m1_k1_n1_r1_dora_acc"}) {
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
      {"m1_k1_n1+0_r1_f32_acc", "slice 1 of 2 has 0 columns"},
      {"m1_k1_n2147483647+1_r1_f32_acc", "n = 2147483648"},
      {"m1_k1_n9223372036854775807+9223372036854775807_r1_f32_acc", "n = "},
      {"m1_k1_n1_r1_f32_acc_a65536", "adapters = 65536"},
      {"m1_k1_n1_r1_f32_acc_a99999999999", "adapters"},
      {"m1_k1_n1_r1_f32_set_dora", "dora"},
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
  Problem group = typical();
  group.slices = {{256, 128, 128}, 3};
  EXPECT_EQ(useful_flops(group), 2.0 * 8 * (3 * 1024 + 512));
  EXPECT_EQ(compulsory_bytes(group) - compulsory_bytes(typical()), 2.0 * 8 * 2 * 1024);
  Problem wide = typical();
  wide.weights = Dtype::f32;
  EXPECT_EQ(compulsory_bytes(wide) - compulsory_bytes(typical()), 2.0 * 8 * (1024 + 512));
  Problem served = typical();
  served.m = 16;
  const double alone = compulsory_bytes(served);
  served.adapters = 4;
  EXPECT_EQ(compulsory_bytes(served) - alone, 3 * 2.0 * 8 * (1024 + 512));
  served.m = 1;
  EXPECT_EQ(compulsory_bytes(served), compulsory_bytes(typical())) << "a row has one adapter";
  Problem dora = typical();
  dora.dora = true;
  EXPECT_EQ(compulsory_bytes(dora) - compulsory_bytes(typical()), 2.0 * 512);
}

}  // namespace
}  // namespace loratune
