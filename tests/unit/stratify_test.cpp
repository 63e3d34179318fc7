#include "harness/gate/stratify.h"

#include <gtest/gtest.h>

#include <set>

namespace loratune {
namespace {

std::vector<Problem> grid() {
  std::vector<Problem> problems;
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    for (const int rank : {4, 8, 16, 32, 64}) {
      for (const std::int64_t size : {512, 1024, 2048}) {
        for (const std::int64_t m : {1, 16, 128, 512}) {
          Problem p;
          p.dtype = dtype;
          p.rank = rank;
          p.m = m;
          p.k = p.n = size;
          problems.push_back(p);
        }
      }
    }
  }
  return problems;
}

TEST(Stratify, ADozenOfTheDefaultGridHasEveryValueOfEveryAxis) {
  const std::vector<Problem> problems = grid();
  const std::vector<std::size_t> chosen = stratified(problems, 12);
  ASSERT_EQ(chosen.size(), 12U);
  std::set<std::size_t> distinct(chosen.begin(), chosen.end());
  EXPECT_EQ(distinct.size(), 12U);
  std::set<Dtype> dtypes;
  std::set<int> ranks;
  std::set<std::int64_t> tokens;
  std::set<std::int64_t> sizes;
  for (const std::size_t i : chosen) {
    dtypes.insert(problems[i].dtype);
    ranks.insert(problems[i].rank);
    tokens.insert(problems[i].m);
    sizes.insert(problems[i].n);
  }
  EXPECT_EQ(dtypes.size(), 2U);
  EXPECT_EQ(ranks.size(), 5U);
  EXPECT_EQ(tokens.size(), 4U);
  EXPECT_EQ(sizes.size(), 3U);
}

TEST(Stratify, FewProblemsAreAllTaken) {
  std::vector<Problem> problems = grid();
  problems.resize(5);
  EXPECT_EQ(stratified(problems, 12).size(), 5U);
  EXPECT_TRUE(stratified({}, 12).empty());
}

}  // namespace
}  // namespace loratune
