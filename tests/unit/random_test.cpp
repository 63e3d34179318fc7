#include "tuner/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace loratune {
namespace {

// Journals and gate results hold what these seeds led to.
TEST(Seed, OfANameIsFnv1a) {
  static_assert(seed_of("", 0) == 0xcbf29ce484222325U);
  static_assert(seed_of("a", 0) == 0xaf63dc4c8601ec8cU);
  static_assert(seed_of("foobar", 0) == 0x85944171f73967e8U);
  static_assert(seed_of("", 1) == 0xcbf29ce484222324U);
  EXPECT_NE(seed_of("foobar", 1), seed_of("foobar", 2));
  EXPECT_NE(seed_of("\x80", 0), seed_of("\x7f", 0));
}

TEST(Seed, OfAStreamIsSplitmix64) {
  static_assert(mix_seed(0, 0) == 0xe220a8397b1dcdafU);
  static_assert(mix_seed(0, 1) == 0x6e789e6aa1b965f4U);
}

TEST(Random, DrawsAreFixedBySeedAndWithinTheirBound) {
  Random random(1);
  std::vector<int> count(7);
  for (int i = 0; i < 7000; ++i) ++count.at(random.below(7));
  for (const int c : count) EXPECT_NEAR(c, 1000, 150);
  std::vector<int> values = {0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<int> again = values;
  Random(5).shuffle(values);
  Random(5).shuffle(again);
  EXPECT_EQ(values, again);
  EXPECT_FALSE(std::is_sorted(values.begin(), values.end()));
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace loratune
