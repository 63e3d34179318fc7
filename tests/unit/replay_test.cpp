// Journals of builds that told a problem whose alignment is the element's own from the one without.
#include "harness/sweep/replay.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/base/failure.h"
#include "harness/sweep/output.h"
#include "loratune/dispatch/tuned_file.h"
#include "made_up_devices.h"
#include "made_up_replies.h"

namespace loratune {
namespace {

using nlohmann::json;

Problem small_problem(int align) {
  Problem problem;
  problem.rank = 4;
  problem.m = 1;
  problem.k = problem.n = 16;
  problem.align = align;
  return problem;
}

// A sweep of a few configs, as those builds saw it: none of its keys is parsed.
SweepSetup setup_of(const std::vector<Problem>& problems) {
  SweepSetup setup;
  setup.device = made_up::cpu();
  setup.options.problems = problems;
  setup.options.variants = {find_variant("naive")};
  setup.options.evaluations = 3;
  return setup;
}

// What a sweep of the setup makes of the replies, or what it complains of.
struct Swept {
  bool whole = false;
  std::vector<Decided> decided;
  std::string complaint;
};

Swept sweep_of(const SweepSetup& setup, const JournalContent& content) {
  Swept swept;
  Journal journal = Journal::replay(content);
  Sweep sweep(
      setup.options, setup.device, journal, nullptr, nullptr, [] { return false; },
      [](const SweepProgress&) {});
  try {
    swept.whole = sweep.run();
  } catch (const Failure& failure) {
    swept.complaint = failure.what();
  }
  swept.decided = sweep.decided();
  return swept;
}

// The journal that the sweep would have left.
JournalContent journal_of(const SweepSetup& setup) {
  JournalContent content;
  content.header = make_header(setup);
  content.replies = made_up::replies(400, [&](const std::vector<json>& so_far) {
    content.replies = so_far;
    const Swept swept = sweep_of(setup, content);
    return swept.whole ? "whole" : swept.complaint;
  });
  EXPECT_FALSE(content.replies.empty()) << "a small sweep ends";
  return content;
}

TEST(ReplayJournals, TakeAStatedAlignmentThatIsTheElementsOwnForNone) {
  const SweepSetup setup = setup_of({small_problem(4)});
  const JournalContent content = journal_of(setup);
  const std::string key = to_string(small_problem(0)) + "_align4";
  ASSERT_EQ(content.header.at("problems"), json::array({key}));
  const SweepResult replayed = replay_journals({&content, 1}).front();
  EXPECT_TRUE(replayed.whole);
  EXPECT_EQ(replayed.setup.options.problems, std::vector{small_problem(0)});
  const Swept swept = sweep_of(setup, content);
  ASSERT_EQ(swept.decided.size(), 1U);
  ASSERT_EQ(replayed.decided.size(), 1U);
  EXPECT_EQ(replayed.decided[0].problem, small_problem(0));
  EXPECT_EQ(replayed.decided[0].verdict, swept.decided[0].verdict);
  EXPECT_EQ(replayed.decided[0].log_ratios.size(), swept.decided[0].log_ratios.size());
}

TEST(ReplayJournals, TakeTheFirstOfAProblemUnderTwoKeys) {
  const SweepSetup setup = setup_of({small_problem(0), small_problem(4)});
  const JournalContent content = journal_of(setup);
  const SweepResult replayed = replay_journals({&content, 1}).front();
  EXPECT_TRUE(replayed.whole);
  const TunedFile file = make_tuned_file(replayed.decided, Mode::fast, made_up::cpu(),
                                         {"lora-bench", "0.1.0", "0123456789ab"});
  EXPECT_EQ(file.records.size(), 1U);
  const Swept swept = sweep_of(setup, content);
  ASSERT_EQ(swept.decided.size(), 2U);
  ASSERT_EQ(replayed.decided.size(), 1U);
  EXPECT_EQ(replayed.decided[0].verdict, swept.decided[0].verdict);
  const auto parsed = parse_tuned_file(serialize(file));
  EXPECT_TRUE(parsed.file) << parsed.error;
}

}  // namespace
}  // namespace loratune
