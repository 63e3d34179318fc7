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
    const std::set<std::string> others = {"launch", "host", "openblas", "clblast"};
    EXPECT_EQ(rival.choice.has_value(), !others.contains(rival.name)) << rival.name;
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

TEST(Rivals, MoreThanARoundHoldsAreRefused) {
  BenchOptions options;
  options.variants.assign(20, find_variant("naive"));
  EXPECT_THROW(names("m3_k64_n64_r4_f32_acc", options), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
