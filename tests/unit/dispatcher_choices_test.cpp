// What is tried where the pick cannot be built.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/dispatch/plan_text.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

// A record for the problem, and a rule that holds it.
TunedFile file_of(const Problem& problem) {
  TunedFile file = fictional::file();
  const Variant& naive = *find_variant("naive");
  file.kernels["naive"] = {std::string(naive.source_sha256), naive.revision};
  file.records = {fictional::record("d0", problem, 8)};
  file.rules = {fictional::rule("d0", {1, 64}, {1, 64}, 16)};
  return file;
}

int wg_n(const Choice& choice) {
  for (const auto& [name, value] : named_config(choice.variant->space, choice.config)) {
    if (name == "WG_N") return value;
  }
  return 0;
}

TEST(DispatcherChoices, AreTheFilesThenTheDefaultThenItsFallbacks) {
  const Problem problem = fictional::problem();
  const Dispatcher dispatcher(file_of(problem), fictional::device());
  const std::vector<Choice> choices = dispatcher.choices(problem);
  const Choice fallback = default_choice(problem, fictional::device());
  ASSERT_GT(choices.size(), 3U);
  EXPECT_EQ(choices[0].config, dispatcher.pick(problem).config);
  EXPECT_EQ(wg_n(choices[0]), 8);
  EXPECT_EQ(choices[0].shape_match, ShapeMatch::exact);
  EXPECT_EQ(wg_n(choices[1]), 16);
  EXPECT_EQ(choices[1].shape_match, ShapeMatch::rule);
  EXPECT_EQ(choices[2].variant, fallback.variant);
  EXPECT_EQ(choices[2].config, fallback.config);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    EXPECT_TRUE(can_run(*choices[i].variant, choices[i].config, problem, fictional::device()));
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(choices[i].variant == choices[j].variant &&
                   choices[i].config == choices[j].config);
    }
  }
}

// A device without a compiler that works still runs what needs none.
TEST(DispatcherChoices, EndInWhatNeedsNoCompilerWhereTheDeviceRunsIt) {
  DeviceInfo device = fictional::device();
  const Problem problem = fictional::problem();
  const auto natives = [&](const Problem& of) {
    const std::vector<Choice> choices = Dispatcher(device).choices(of);
    return std::count_if(choices.begin(), choices.end(), [&](const Choice& choice) {
      return is_native(choice.variant->plan(of, choice.config, device));
    });
  };
  EXPECT_EQ(natives(problem), 0);
  device.type = DeviceType::cpu;
  device.native_kernels = true;
  EXPECT_EQ(natives(problem), 1);
  const Choice last = Dispatcher(device).choices(problem).back();
  EXPECT_TRUE(is_native(last.variant->plan(problem, last.config, device)));
  Problem dora = problem;
  dora.dora = true;
  EXPECT_EQ(natives(dora), 0) << "the function does not take it";
}

// The bits of a row stay the same where none but a later choice can be built.
TEST(DispatcherChoices, OfBatchInvariantAreTheSameForAllRowCounts) {
  for (const DeviceType type : {DeviceType::cpu, DeviceType::gpu}) {
    DeviceInfo device = fictional::device();
    device.type = type;
    const Dispatcher dispatcher(device);
    const auto same = [&](Mode mode, std::int64_t m) {
      const std::vector<Choice> first = dispatcher.choices(fictional::problem(1), mode);
      const std::vector<Choice> choices = dispatcher.choices(fictional::problem(m), mode);
      return std::equal(first.begin(), first.end(), choices.begin(), choices.end(),
                        [](const Choice& a, const Choice& b) {
                          return a.variant == b.variant && a.config == b.config;
                        });
    };
    for (const std::int64_t m : {2, 16, 64, 512, 2048}) {
      EXPECT_TRUE(same(Mode::batch_invariant, m)) << m;
    }
    EXPECT_FALSE(same(Mode::deterministic, 512)) << "nothing is shown";
  }
}

TEST(DispatcherChoices, AreNoneForWhatIsNoProblem) {
  EXPECT_TRUE(Dispatcher(fictional::device()).choices(Problem{}).empty());
}

}  // namespace
}  // namespace loratune
