#include "harness/worker/protocol.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace loratune {
namespace {

using nlohmann::json;

Round round_with(std::vector<int> order) {
  Round round;
  round.order = std::move(order);
  return round;
}

TEST(Protocol, GivesBackWhatItWasGiven) {
  const Prepared prepared{Outcome::slow, 12.5, 0.25, "why"};
  const Prepared again = prepared_from_json(json::parse(to_json(prepared).dump()));
  EXPECT_EQ(again.outcome, Outcome::slow);
  EXPECT_EQ(again.probe_ns, 12.5);
  EXPECT_EQ(again.error_over_bound, 0.25);
  EXPECT_EQ(again.detail, "why");
  RoundReply reply;
  reply.ns = {3, 4};
  reply.doubled_ns = {5, 6};
  reply.stolen = true;
  const RoundReply replied =
      round_reply_from_json(json::parse(to_json(reply).dump()), round_with({0, 1}));
  EXPECT_EQ(replied.ns, reply.ns);
  EXPECT_EQ(replied.doubled_ns, reply.doubled_ns);
  EXPECT_TRUE(replied.stolen);
  EXPECT_LT(replied.failed, 0);
}

TEST(Protocol, ATimeThatIsNoNumberComesBackAsOneThatNoReaderTakes) {
  Prepared prepared;
  prepared.probe_ns = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(prepared_from_json(json::parse(to_json(prepared).dump())).probe_ns));
}

TEST(Protocol, AReplyMustHaveATimeForEachBlock) {
  json reply = {{"ns", {1.0, 2.0}}, {"stolen", false}};
  EXPECT_EQ(round_reply_from_json(reply, round_with({0, 1})).ns.size(), 2U);
  EXPECT_ANY_THROW(round_reply_from_json(reply, round_with({0, 1, 0})));
  reply["doubled_ns"] = {1.0};
  EXPECT_ANY_THROW(round_reply_from_json(reply, round_with({0, 1})));
}

// Whoever is not in the round had no part in it, whatever a page that a kernel may have overwritten
// or a journal of an older build says.
TEST(Protocol, OnlyAnArmOfTheRoundIsToBlame) {
  const Round round = round_with({0, kCanary, 2});
  json reply = to_json(failed_round(2, Outcome::timeout));
  EXPECT_EQ(round_reply_from_json(reply, round).failed, 2);
  EXPECT_EQ(round_reply_from_json(reply, round).failure, Outcome::timeout);
  for (const std::int64_t blamed : {std::int64_t{1}, std::int64_t{-1}, std::int64_t{-2},
                                    std::int64_t{7}, std::int64_t{1} << 40}) {
    reply["failed"] = blamed;
    const RoundReply read = round_reply_from_json(reply, round);
    EXPECT_LT(read.failed, 0) << blamed;
    EXPECT_TRUE(read.ns.empty()) << blamed;
  }
}

TEST(Protocol, RefusesWhatIsNoResult) {
  for (const char* text :
       {"{}", "[]", R"({"outcome":"splendid","probe_ns":1,"error":0,"detail":""})",
        R"({"outcome":"correct","probe_ns":"1","error":0,"detail":""})",
        R"({"outcome":"correct","probe_ns":1,"error":0,"detail":3})"}) {
    EXPECT_ANY_THROW(prepared_from_json(json::parse(text))) << text;
  }
  for (const char* text : {"{}", R"({"ns":3,"stolen":false})", R"({"ns":["a"],"stolen":false})",
                           R"({"ns":[],"stolen":false,"failed":"x"})",
                           R"({"ns":[],"stolen":false,"failed":0.5,"failure":"runtime"})",
                           R"({"ns":[],"stolen":false,"failed":1e300,"failure":"runtime"})",
                           R"({"ns":[],"stolen":false,"failed":0,"failure":"none"})"}) {
    EXPECT_ANY_THROW(round_reply_from_json(json::parse(text), round_with({0}))) << text;
  }
  EXPECT_ANY_THROW(event_reading_from_json(json::parse(R"({"event_ns":1})")));
}

}  // namespace
}  // namespace loratune
