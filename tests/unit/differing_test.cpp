#include "harness/base/differing.h"

#include <gtest/gtest.h>

namespace loratune {
namespace {

using nlohmann::json;

TEST(DifferingMembers, AreNamedToTheSecondLevel) {
  const json one = {{"seed", 1}, {"device", {{"name", "F100"}, {"driver", "1.0"}}}, {"list", {1}}};
  EXPECT_EQ(differing_members(one, one), "");
  json other = one;
  other["device"]["driver"] = "1.1";
  other["seed"] = 2;
  other["list"] = {1, 2};
  EXPECT_EQ(differing_members(one, other), "device.driver list seed");
}

TEST(DifferingMembers, MayBeOnOneSideOnly) {
  const json one = {{"device", {{"name", "F100"}}}};
  const json other = {{"device", {{"name", "F100"}, {"driver", "1.0"}}}, {"seed", 1}};
  EXPECT_EQ(differing_members(one, other), "device.driver seed");
  EXPECT_EQ(differing_members(other, one), "device.driver seed");
  EXPECT_EQ(differing_members({{"device", 1}}, one), "device");
}

}  // namespace
}  // namespace loratune
