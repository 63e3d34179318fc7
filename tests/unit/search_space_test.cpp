#include "loratune/variants/search_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "loratune/variants/variant.h"

namespace loratune {
namespace {

constexpr std::array<std::int32_t, 3> kWide = {1, 8, 64};
constexpr std::array<std::int32_t, 2> kFlag = {0, 1};
constexpr std::array<Parameter, 2> kParameters = {{{"WIDTH", kWide}, {"FLAG", kFlag}}};
const SearchSpace kSpace = {kParameters, nullptr};

TEST(SearchSpace, CountsThroughItsProduct) {
  ASSERT_EQ(product_size(kSpace), 6);
  const Config points[] = {{1, 0}, {1, 1}, {8, 0}, {8, 1}, {64, 0}, {64, 1}};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(config_at(kSpace, i), points[i]);
  EXPECT_THROW(config_at(kSpace, -1), std::out_of_range);
  EXPECT_THROW(config_at(kSpace, 6), std::out_of_range);
}

TEST(SearchSpace, ContainsItsPointsOnly) {
  EXPECT_TRUE(contains(kSpace, {64, 1}));
  for (const Config& other :
       {Config{}, Config{64}, Config{64, 1, 0}, Config{63, 1}, Config{64, 2}, Config{0, 64}}) {
    EXPECT_FALSE(contains(kSpace, other));
  }
}

TEST(ParseConfig, ReadsNamesInAnyOrder) {
  EXPECT_EQ(parse_config(kSpace, "WIDTH=8 FLAG=1"), (Config{8, 1}));
  EXPECT_EQ(parse_config(kSpace, "FLAG=1 WIDTH=8"), (Config{8, 1}));
}

TEST(ParseConfig, RefusesWhatIsNoPoint) {
  for (const char* text : {"",
                           "WIDTH=8",
                           "FLAG=1",
                           "WIDTH=8 WIDTH=8",
                           "WIDTH=8 FLAG=1 FLAG=1",
                           "WIDTH=8 FLAG=1 X=1",
                           "WIDTH=7 FLAG=1",
                           "WIDTH=8 FLAG=2",
                           "WIDTH=-8 FLAG=1",
                           "WIDTH=8.0 FLAG=1",
                           "WIDTH= FLAG=1",
                           "WIDTH FLAG=1",
                           "=8 FLAG=1",
                           "width=8 FLAG=1",
                           "WIDTH=8  FLAG=1",
                           "WIDTH=8,FLAG=1",
                           "WIDTH=8 FLAG=1x",
                           "WIDTH=4294967304 FLAG=1",
                           "WIDTH=99999999999999999999 FLAG=1",
                           "WIDT=8 FLAG=1",
                           "WIDTH=0x8 FLAG=1"}) {
    EXPECT_FALSE(parse_config(kSpace, text)) << text;
  }
}

TEST(AtMost, IsTheLargestValueThatFitsElseTheSmallest) {
  EXPECT_EQ(at_most(kParameters[0], 64), 64);
  EXPECT_EQ(at_most(kParameters[0], 63), 8);
  EXPECT_EQ(at_most(kParameters[0], 1'000'000'000'000), 64);
  EXPECT_EQ(at_most(kParameters[0], 0), 1);
}

class VariantSpace : public testing::TestWithParam<const Variant*> {};

TEST_P(VariantSpace, EveryPointGoesThroughTextAndBack) {
  const SearchSpace& space = GetParam()->space;
  Config before;
  for (std::int64_t i = 0; i < product_size(space); ++i) {
    const Config config = config_at(space, i);
    ASSERT_TRUE(contains(space, config));
    ASSERT_EQ(parse_config(space, to_string(space, config)), config);
    if (i > 0) {
      bool larger = false;  // so no two points are equal
      for (int j = 0; j < config.size() && !larger; ++j) {
        ASSERT_GE(config[j], before[j]);
        larger = config[j] > before[j];
      }
      ASSERT_TRUE(larger);
    }
    before = config;
  }
}

TEST_P(VariantSpace, HasParametersThatAConfigCanHold) {
  const SearchSpace& space = GetParam()->space;
  ASSERT_FALSE(space.parameters.empty());
  ASSERT_LE(space.parameters.size(), static_cast<std::size_t>(kMaxParameters));
  for (const Parameter& parameter : space.parameters) {
    ASSERT_FALSE(parameter.values.empty());
    EXPECT_TRUE(std::is_sorted(parameter.values.begin(), parameter.values.end()));
    EXPECT_EQ(parameter.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"),
              std::string_view::npos)
        << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, VariantSpace,
                         testing::ValuesIn(variants().begin(), variants().end()),
                         [](const auto& variant) { return std::string(variant.param->name); });

}  // namespace
}  // namespace loratune
