// Journals of builds that told a problem whose alignment is the element's own from the one without.
#include "harness/sweep/replay.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/base/failure.h"
#include "harness/sweep/output.h"
#include "loratune/dispatch/tuned_file.h"
#include "made_up_devices.h"

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

// What stands between the words; empty where the first is not there.
std::string between(const std::string& text, const std::string& word, const std::string& end) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + word.size();
  return text.substr(begin, text.find(end, begin) - begin);
}

// Answers whatever may be asked, a round of `blocks` blocks among it.
json answer_to_all(int number, int blocks) {
  return {{"outcome", "correct"},
          {"probe_ns", 1000 + 10 * number},
          {"error", 0.25},
          {"detail", ""},
          {"seconds", 0.01},
          {"late", false},
          {"ns", std::vector<double>(static_cast<std::size_t>(blocks), 1000.0 + number)},
          {"stolen", false},
          {"stop", number > 20},
          {"built_s", {0.1}},
          {"event_ns", 900},
          {"event_fault", ""}};
}

// The journal that the sweep would have left: each reply is corrected until the sweep takes it.
JournalContent journal_of(const SweepSetup& setup) {
  JournalContent content;
  content.header = make_header(setup);
  for (int number = 0; number < 400; ++number) {
    content.replies.push_back(
        {{"ask", "?"}, {"t", 0.01 * number}, {"reply", answer_to_all(number, 1)}});
    for (int tries = 0; tries < 3; ++tries) {
      const Swept swept = sweep_of(setup, content);
      if (swept.whole) return content;
      const std::string asked = between(swept.complaint, "where '", "' is asked");
      const std::string blocks = between(swept.complaint, "a round of ", " ");
      if (!asked.empty()) content.replies.back()["ask"] = asked;
      if (!blocks.empty()) {
        content.replies.back()["reply"] = answer_to_all(number, std::stoi(blocks));
      }
    }
  }
  ADD_FAILURE() << "a small sweep ends";
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
