#include "unit/allocations.h"

#include <gtest/gtest.h>

#include <string>

namespace loratune {
namespace {

TEST(Allocations, AreCountedInBytes) {
  const std::int64_t live = allocations().live;
  EXPECT_GE(peak_of([] { const std::string text(1'000'000, 'x'); }), 1'000'000);
  EXPECT_LT(peak_of([] {
              for (int i = 0; i < 10; ++i) {
                const std::string text(1'000'000, 'x');
              }
            }),
            2'000'000)
      << "what was given back counts no more";
  EXPECT_EQ(allocations().live, live);
}

}  // namespace
}  // namespace loratune
