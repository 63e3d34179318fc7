// A fleet played by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "harness/base/selection.h"
#include "harness/cli/parse.h"
#include "harness/fleet/schedule.h"
#include "harness/sweep/plan.h"

namespace loratune {
namespace {

using Indices = std::vector<std::size_t>;

std::vector<Portion> portions(int groups, int each) {
  std::vector<Portion> all;
  for (int group = 0; group < groups; ++group) {
    for (int i = 0; i < each; ++i) all.push_back({"group " + std::to_string(group), 3});
  }
  return all;
}

// All that `rank` is handed until nothing waits, each decided at once.
Indices take_all(FleetSchedule& schedule, int rank) {
  Indices handed;
  while (const auto portion = schedule.next(rank)) {
    handed.push_back(*portion);
    schedule.decided(rank);
  }
  return handed;
}

TEST(FleetSchedule, EightEqualDevicesDoTheDefaultGridAtLeastSevenTimesAsFast) {
  const char* argv[] = {"lora-bench", "--sweep"};
  std::vector<Portion> grid;
  for (const auto& problems :
       portions_of(select_problems(parse_command_line(2, argv)), Mode::fast)) {
    grid.push_back({group_key(problems.front()), problems.size()});
  }
  FleetSchedule schedule(grid, 8);
  std::vector<double> busy(8, 0);  // by device, a problem a second
  double all = 0;
  while (!schedule.over()) {
    const auto soonest = std::min_element(busy.begin(), busy.end());  // the next to be idle
    const int rank = static_cast<int>(soonest - busy.begin());
    const auto portion = schedule.next(rank);
    ASSERT_TRUE(portion);
    *soonest += static_cast<double>(grid[*portion].problems);
    all += static_cast<double>(grid[*portion].problems);
    schedule.decided(rank);
  }
  EXPECT_EQ(all, 120);
  EXPECT_GE(all / *std::max_element(busy.begin(), busy.end()), 7);
}

TEST(FleetSchedule, HandsEachPortionOutOnce) {
  FleetSchedule schedule(portions(2, 3), 2);
  ASSERT_TRUE(schedule.next(1));
  EXPECT_FALSE(schedule.next(1)) << "it is not idle";
  EXPECT_EQ(take_all(schedule, 0).size(), 5U);
  EXPECT_FALSE(schedule.over()) << "one still runs";
  EXPECT_EQ(schedule.undecided(), 3U);
  schedule.decided(1);
  EXPECT_TRUE(schedule.over());
  EXPECT_EQ(schedule.undecided(), 0U);
}

TEST(FleetSchedule, LeavesARankWithTheGroupWhoseProgramsItHas) {
  FleetSchedule schedule(portions(2, 2), 2);
  EXPECT_EQ(schedule.next(0), 0U);
  EXPECT_EQ(schedule.next(1), 2U) << "another group, the one further from its end";
  schedule.decided(1);
  EXPECT_EQ(schedule.next(1), 3U);
  schedule.decided(0);
  EXPECT_EQ(schedule.next(0), 1U);
}

TEST(FleetSchedule, HandsTheWorkOfALostRankToAnother) {
  FleetSchedule schedule(portions(1, 2), 2);
  EXPECT_EQ(schedule.next(0), 0U);
  EXPECT_EQ(schedule.next(1), 1U);
  schedule.decided(0);
  EXPECT_FALSE(schedule.next(0));
  EXPECT_FALSE(schedule.over());
  schedule.lost(1);
  EXPECT_FALSE(schedule.next(1)) << "it is gone";
  EXPECT_EQ(schedule.next(0), 1U);
  schedule.decided(0);
  EXPECT_TRUE(schedule.over());
  EXPECT_EQ(schedule.undecided(), 0U);
}

TEST(FleetSchedule, HandsAFailedPortionToAnotherRankAndLastToTheSame) {
  FleetSchedule schedule(portions(1, 3), 2);
  EXPECT_EQ(schedule.next(0), 0U);
  schedule.failed(0);
  EXPECT_EQ(take_all(schedule, 0), (Indices{1, 2, 0}));
}

TEST(FleetSchedule, GivesUpAPortionAfterThreeFailures) {
  FleetSchedule schedule(portions(1, 1), 4);
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(schedule.next(rank), 0U);
    schedule.failed(rank);
  }
  EXPECT_FALSE(schedule.next(3));
  EXPECT_TRUE(schedule.over());
  EXPECT_EQ(schedule.undecided(), 3U);
}

TEST(FleetSchedule, TrustsNoRankThatFailsTwiceInARow) {
  FleetSchedule schedule(portions(1, 4), 2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(schedule.next(0));
    schedule.failed(0);
  }
  EXPECT_FALSE(schedule.next(0));
  EXPECT_FALSE(schedule.over()) << "the other rank can go on";
  EXPECT_EQ(take_all(schedule, 1).size(), 4U);
  EXPECT_TRUE(schedule.over());
}

TEST(FleetSchedule, EndsWhereNoRankIsLeft) {
  FleetSchedule schedule(portions(1, 4), 1);
  ASSERT_TRUE(schedule.next(0));
  schedule.lost(0);
  EXPECT_TRUE(schedule.over());
  EXPECT_EQ(schedule.undecided(), 12U);
}

TEST(FleetSchedule, PassesOverWhatIsKnown) {
  FleetSchedule schedule(portions(1, 2), 1);
  schedule.known(0);
  EXPECT_EQ(take_all(schedule, 0), (Indices{1}));
}

TEST(FleetSchedule, SharesTheTimeSoThatAllAreDoneByTheEnd) {
  FleetSchedule schedule(portions(2, 4), 2);  // four each
  const auto first = schedule.next(0);
  EXPECT_DOUBLE_EQ(schedule.share_s(*first, 100), 25);
  const auto second = schedule.next(1);
  schedule.decided(0);
  schedule.decided(1);
  take_all(schedule, 0);
  EXPECT_DOUBLE_EQ(schedule.share_s(*second, 40), 40) << "more than there is";
}

TEST(Portions, AreTheProblemsEachOfOneGroup) {
  const char* argv[] = {"lora-bench", "--sweep", "--tokens", "1,2", "--ranks", "8,4"};
  const auto problems = select_problems(parse_command_line(6, argv));
  std::vector<Problem> together;
  for (const auto& portion : portions_of(problems, Mode::fast)) {
    ASSERT_FALSE(portion.empty());
    for (const Problem& problem : portion) {
      EXPECT_EQ(group_key(problem), group_key(portion.front()));
      together.push_back(problem);
    }
  }
  EXPECT_TRUE(
      std::is_permutation(together.begin(), together.end(), problems.begin(), problems.end()));
}

TEST(Shards, AreTogetherAllProblemsAndEquallyLarge) {
  const char* argv[] = {"lora-bench", "--sweep"};
  const auto problems = select_problems(parse_command_line(2, argv));
  for (const int shards : {1, 2, 7, 8, 119, 120}) {
    std::vector<Problem> together;
    for (int shard = 1; shard <= shards; ++shard) {
      const auto part = shard_of(problems, Mode::fast, shard, shards);
      EXPECT_GE(part.size(), problems.size() / static_cast<std::size_t>(shards));
      EXPECT_LE(part.size(), (problems.size() - 1) / static_cast<std::size_t>(shards) + 1);
      EXPECT_EQ(part, shard_of(problems, Mode::fast, shard, shards));
      together.insert(together.end(), part.begin(), part.end());
    }
    EXPECT_TRUE(
        std::is_permutation(together.begin(), together.end(), problems.begin(), problems.end()))
        << shards;
  }
}

TEST(Shards, AndPortionsLeaveFamiliesWhole) {
  const char* argv[] = {"lora-bench", "--sweep"};
  const auto problems = select_problems(parse_command_line(2, argv));
  std::vector<std::vector<Problem>> parts = portions_of(problems, Mode::batch_invariant);
  EXPECT_EQ(parts.size(), 30U) << "of four problems each";
  const int shards = 7;
  for (int shard = 1; shard <= shards; ++shard) {
    parts.push_back(shard_of(problems, Mode::batch_invariant, shard, shards));
  }
  std::vector<Problem> together;
  for (const auto& part : parts) {
    together.insert(together.end(), part.begin(), part.end());
    for (const Problem& problem : part) {
      const Problem family = regardless_of_m(problem, Mode::batch_invariant);
      EXPECT_EQ(std::count_if(part.begin(), part.end(),
                              [&](const Problem& other) {
                                return regardless_of_m(other, Mode::batch_invariant) == family;
                              }),
                4)
          << to_string(problem);
    }
  }
  EXPECT_EQ(together.size(), 2 * problems.size());
}

TEST(Shards, CutNoMoreGroupsThanTheyMust) {
  const char* argv[] = {"lora-bench", "--sweep"};
  const auto problems = select_problems(parse_command_line(2, argv));
  for (const int shards : {2, 5, 8, 10}) {
    std::size_t pieces = 0;
    for (int shard = 1; shard <= shards; ++shard) {
      std::vector<std::string> groups;
      for (const Problem& problem : shard_of(problems, Mode::fast, shard, shards)) {
        groups.push_back(group_key(problem));
      }
      pieces +=
          static_cast<std::size_t>(std::unique(groups.begin(), groups.end()) - groups.begin());
    }
    EXPECT_LE(pieces, 10U + static_cast<std::size_t>(shards) - 1) << shards;
  }
}

}  // namespace
}  // namespace loratune
