#include "harness/sweep/adapter_gain.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

Problem problem(std::int64_t m, std::int64_t n) {
  Problem made;
  made.rank = 8;
  made.m = m;
  made.k = 64;
  made.n = n;
  return made;
}

Record record(const Problem& of, std::int64_t time_ns, std::int64_t default_ns) {
  Record made;
  made.problem = of;
  made.time_ns = time_ns;
  made.default_ns = default_ns;
  return made;
}

TEST(AdapterGain, SumsOverModulesForEachNumberOfTokens) {
  TunedFile tuned;
  tuned.records = {record(problem(1, 64), 1000, 2000), record(problem(1, 32), 500, 500),
                   record(problem(16, 64), 4000, 6000)};
  const auto gains = adapter_gains({{"layers.0.q", problem(1, 64)},
                                    {"layers.0.q", problem(16, 64)},
                                    {"layers.0.v", problem(1, 32)},
                                    {"layers.0.v", problem(16, 32)},
                                    {"layers.1.q", problem(1, 64)},
                                    {"layers.1.q", problem(16, 64)}},
                                   tuned);
  ASSERT_EQ(gains.size(), 2U);
  EXPECT_EQ(to_string(gains[0]),
            "pass through 3 modules, 1 tokens, f32: 2.5 us tuned, 4.5 us by default, 1.80x");
  EXPECT_EQ(to_string(gains[1]),
            "pass through 2 modules, 16 tokens, f32: 8.0 us tuned, 12.0 us by default, 1.50x; 1 "
            "modules have no record");
  EXPECT_EQ(to_string(adapter_gains({{"q", problem(2, 2)}}, tuned)[0]), "no module has a record");
}

}  // namespace
}  // namespace loratune
