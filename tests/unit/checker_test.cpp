// What a check watches of a buffer.
#include "harness/check/checker.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace loratune {
namespace {

// Every element of the tensor is in one run, and no run begins before the one ahead of it ends.
void holds_each_element_once(std::int64_t rows, std::int64_t cols, std::int64_t off,
                             std::int64_t ld) {
  const std::vector<ElementRun> runs = watched_runs(rows, cols, off, ld);
  std::size_t run = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t first = off + row * ld;
    while (run + 1 < runs.size() && runs[run + 1].begin <= first) ++run;
    ASSERT_LE(runs[run].begin, first) << "row " << row;
    ASSERT_GE(runs[run].begin + runs[run].elements, first + cols) << "row " << row;
  }
  for (std::size_t i = 1; i < runs.size(); ++i) {
    ASSERT_LE(runs[i - 1].begin + runs[i - 1].elements, runs[i].begin) << "run " << i;
  }
}

TEST(WatchedRuns, AreTheWholeBufferOfASmallTensor) {
  EXPECT_EQ(watched_runs(3, 5, 64, 100).size(), 1U);
  holds_each_element_once(3, 5, 64, 100);
}

TEST(WatchedRuns, OfAHugeTensorDoNotOverlapWhateverItsPitch) {
  const std::int64_t rows = 65536, cols = 1024;
  for (const std::int64_t gap : {0, 1, 64, 127, 128, 129, 5000}) {
    SCOPED_TRACE(gap);
    holds_each_element_once(rows, cols, 64, cols + gap);
  }
}

TEST(WatchedRuns, LeaveOutWhatLiesBetweenRowsFarApart) {
  std::int64_t watched = 0;
  for (const ElementRun& run : watched_runs(4, 16, 64, std::int64_t{1} << 30)) {
    watched += run.elements;
  }
  EXPECT_LT(watched, 4096);
  holds_each_element_once(4, 16, 64, std::int64_t{1} << 30);
}

}  // namespace
}  // namespace loratune
