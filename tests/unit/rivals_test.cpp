#include "harness/bench/rivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "made_up_devices.h"

namespace loratune {
namespace {

Problem problem_of(const std::string& key) {
  std::string why;
  return parse_problem(key, why).value();
}

std::vector<std::string> names(const std::string& key, const BenchOptions& options,
                               const Dispatcher* tuned = nullptr) {
  std::vector<std::string> names;
  for (const Rival& rival : list_rivals(problem_of(key), made_up::cpu(), options, tuned)) {
    constexpr std::string_view kOthers[] = {"launch", "host",         "openblas",   "clblast",
                                            "copy_y", "without_dora", "one_adapter"};
    const bool ours =
        std::find(std::begin(kOthers), std::end(kOthers), rival.name) == std::end(kOthers);
    EXPECT_EQ(rival.choice.has_value(), ours) << rival.name;
    names.push_back(rival.name);
  }
  return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name) == 1;
}

TEST(Rivals, AreThePicksTheVariantsAskedForAndOtherLibraries) {
  BenchOptions options;
  options.variants = {find_variant("naive")};
  const std::vector<std::string> plain = names("m3_k64_n64_r4_f32_acc", options);
  EXPECT_EQ(plain.front(), "default");
  for (const char* name : {"naive", "launch", "host", "openblas"})
    EXPECT_TRUE(has(plain, name)) << name;
  const Dispatcher tuned(made_up::cpu());
  EXPECT_EQ(names("m3_k64_n64_r4_f32_acc", options, &tuned).front(), "tuned");
}

TEST(Rivals, ThatHaveNothingToDoOrRepeatTooMuchAreLeftOut) {
  BenchOptions options;
  options.variants = {find_variant("naive")};
  for (const char* name : {"host", "openblas"}) {
    EXPECT_FALSE(has(names("m0_k64_n64_r4_f32_acc", options), name)) << name;
  }
  EXPECT_FALSE(has(names("m512_k2048_n2048_r64_f32_acc", options), "naive"));
}

// Its modules one by one are what a group has to beat; CLBlast has nothing for it.
TEST(Rivals, OfAGroupAreItsModulesOneByOne) {
  const BenchOptions options;
  const std::vector<std::string> group = names("m3_k64_n64+16+16_r4_f32_acc", options);
  EXPECT_TRUE(has(group, "separate"));
  EXPECT_TRUE(has(group, "openblas"));
  EXPECT_FALSE(has(group, "clblast"));
  EXPECT_FALSE(has(names("m3_k64_n96_r4_f32_acc", options), "separate"));
  const std::vector<std::string> dora = names("m3_k64_n96_r4_f32_acc_dora", options);
  EXPECT_TRUE(has(dora, "without_dora"));
  EXPECT_FALSE(has(dora, "openblas"));
}

TEST(Rivals, OfSeveralAdaptersIsOne) {
  const BenchOptions options;
  const std::vector<std::string> several = names("m16_k64_n96_r4_f32_acc_a8", options);
  EXPECT_TRUE(has(several, "one_adapter"));
  EXPECT_FALSE(has(several, "openblas"));
  EXPECT_FALSE(has(names("m16_k64_n96_r4_f32_acc", options), "one_adapter"));
}

TEST(Rivals, OfAMergeAreACopy) {
  const BenchOptions options;
  EXPECT_TRUE(has(names("m64_k4_n96_r4_f32_acc", options), "copy_y"));
  EXPECT_FALSE(has(names("m64_k5_n96_r4_f32_acc", options), "copy_y"));
}

TEST(Rivals, MoreThanARoundHoldsAreRefused) {
  BenchOptions options;
  options.variants.assign(20, find_variant("naive"));
  EXPECT_THROW(names("m3_k64_n64_r4_f32_acc", options), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
