// A route sorts the rows of a step by slot, cuts them into blocks, and refuses slots that are none.
#include "loratune/engine/route.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "test_engine.h"

namespace loratune {
namespace {

using Slots = std::vector<std::int32_t>;

class Routes : public testing::Test {
 protected:
  std::mt19937 random_{1};
  Handle<cl_command_queue> queue_ = test_queue();
};

// What a step asks of a route is answered as the slots say, for every size of a block.
TEST_F(Routes, SortTheRowsAndCutThemIntoBlocks) {
  Route route(test_engine().context(), 200, 9);
  for (int turn = 0; turn < 20; ++turn) {
    Slots slots(random_() % 200 + 1);
    for (std::int32_t& slot : slots) slot = static_cast<std::int32_t>(random_() % 10) - 1;
    ASSERT_EQ(route.assign(queue_.get(), slots), "");
    EXPECT_EQ(route.rows(), static_cast<std::int64_t>(slots.size()));
    std::vector<std::int32_t> table(buffer_bytes(route.buffer()) / sizeof(std::int32_t));
    read_buffer(queue_.get(), route.buffer(), 0, table.size() * sizeof(std::int32_t), table.data());
    for (std::int64_t size = 1; size <= kMostRouteRows; size *= 2) {
      Slots found(slots.size(), -1);
      std::int64_t active = 0;
      std::int32_t last = -1;
      for (std::int64_t block = 0; block < route.blocks(size); ++block) {
        const std::int32_t* entry = table.data() + route.first_block(size) + 3 * block;
        ASSERT_GE(entry[0], last);
        active += entry[0] != last ? 1 : 0;
        last = entry[0];
        ASSERT_GE(entry[2], 1);
        ASSERT_LE(entry[2], size);
        const std::int32_t* rows = table.data() + entry[1];
        for (int i = 0; i < entry[2]; ++i) {
          std::int32_t& row = found.at(static_cast<std::size_t>(rows[i]));
          ASSERT_EQ(row, -1) << "a row twice";
          row = entry[0];
        }
      }
      EXPECT_EQ(found, slots) << size;
      EXPECT_EQ(route.active(), active);
      Problem problem;
      problem.m = route.rows();
      problem.adapters = static_cast<int>(active);
      EXPECT_LE(route.blocks(size), most_route_blocks(problem, size));
      // As many slots again may be empty.
      problem.adapters = static_cast<int>(active / 2);
      EXPECT_LE(route.blocks(size), most_route_blocks(problem, size));
    }
  }
}

TEST_F(Routes, RefuseSlotsThatAreNone) {
  Route route(test_engine().context(), 4, 3);
  ASSERT_EQ(route.assign(queue_.get(), Slots{2, -1, 2}), "");
  EXPECT_EQ(route.assign(queue_.get(), Slots{0, 3}), "route: row 1 has slot 3 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{-2}), "route: row 0 has slot -2 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{INT32_MAX}), "route: row 0 has slot 2147483647 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots{INT32_MIN}), "route: row 0 has slot -2147483648 of 3");
  EXPECT_EQ(route.assign(queue_.get(), Slots(5, 0)), "route: 5 rows, it is for up to 4");
  EXPECT_EQ(route.rows(), 3) << "what is refused changes nothing";
  EXPECT_EQ(route.active(), 1);
  EXPECT_EQ(route.only(), -1) << "one row has no adapter";
  ASSERT_EQ(route.assign(queue_.get(), Slots{1, 1}), "");
  EXPECT_EQ(route.only(), 1);
  ASSERT_EQ(route.assign(queue_.get(), {}), "");
  EXPECT_EQ(route.rows(), 0);
  EXPECT_THROW(Route(test_engine().context(), 0, 1), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), 1, 0), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), std::int64_t{1} << 40, 1), std::invalid_argument);
  EXPECT_THROW(Route(test_engine().context(), 1, INT32_MAX), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
