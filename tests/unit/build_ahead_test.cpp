#include "harness/worker/build_ahead.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

TEST(AheadLedger, PaysWhileItCostsAtMostTenSecondsMoreThanItSaves) {
  AheadLedger ledger;
  EXPECT_TRUE(ledger.pays()) << "nothing is known yet";
  ledger = {20, 2, 40};
  EXPECT_TRUE(ledger.pays());
  ledger = {20, 40, 40};  // of a driver that keeps nothing
  EXPECT_FALSE(ledger.pays());
  ledger = {11, 0, 0};  // nothing was built
  EXPECT_FALSE(ledger.pays());
  ledger = {9, 0, 0};
  EXPECT_TRUE(ledger.pays());
}

TEST(UsualBuilders, AreACoreEachAndNoneWhereThatIsOne) {
  EXPECT_LE(usual_builders(), 6);
  EXPECT_NE(usual_builders(), 1);
  EXPECT_EQ(usual_builders(100000), 0);
  EXPECT_LE(usual_builders(2), usual_builders());
}

}  // namespace
}  // namespace loratune
