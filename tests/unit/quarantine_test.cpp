#include "harness/worker/quarantine.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

const Candidate kBad = {find_variant("naive"), {1, 64, 1, 0}};
const Candidate kOther = {find_variant("naive"), {1, 8, 1, 0}};

TEST(Quarantine, HoldsWhatFailedAtTwoPlaces) {
  Quarantine quarantine;
  quarantine.report(kBad, "a", Outcome::timeout);
  EXPECT_FALSE(quarantine.holds(kBad)) << "once may be chance";
  quarantine.report(kBad, "a", Outcome::runtime);
  EXPECT_FALSE(quarantine.holds(kBad)) << "the same place";
  quarantine.report(kBad, "b", Outcome::runtime);
  EXPECT_TRUE(quarantine.holds(kBad));
  EXPECT_FALSE(quarantine.holds(kOther));
  ASSERT_EQ(quarantine.list().size(), 1U);
  EXPECT_EQ(quarantine.list().begin()->second, (Quarantine::Places{"a", "b"}));
}

TEST(Quarantine, CountsOnlyWhatCostsTheWorker) {
  Quarantine quarantine;
  for (const Outcome outcome : {Outcome::correct, Outcome::constraints, Outcome::compile,
                                Outcome::correctness, Outcome::slow, Outcome::skipped}) {
    quarantine.report(kBad, std::string(to_string(outcome)), outcome);
  }
  EXPECT_FALSE(quarantine.holds(kBad));
  EXPECT_TRUE(quarantine.list().empty());
}

TEST(Quarantine, AddsWhatAnotherPartHasSeen) {
  Quarantine one;
  Quarantine other;
  one.report(kBad, "a", Outcome::timeout);
  other.report(kBad, "b", Outcome::timeout);
  one.add(other);
  EXPECT_TRUE(one.holds(kBad));
  EXPECT_FALSE(other.holds(kBad));
}

}  // namespace
}  // namespace loratune
