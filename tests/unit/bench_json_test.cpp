#include "harness/bench/bench_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "made_up_devices.h"

namespace loratune {
namespace {

using nlohmann::json;

const DeviceInfo kDevice = made_up::cpu();

Problem problem() {
  std::string why;
  return parse_problem("m3_k64_n64_r4_f32_acc", why).value();
}

// Two rivals of the same plan, and one of another library.
Lineup lineup() {
  BenchOptions options;
  const Dispatcher tuned(kDevice);
  return make_lineup(problem(), kDevice, list_rivals(problem(), kDevice, options, &tuned));
}

TEST(Lineup, RivalsOfTheSamePlanShareAnArm) {
  const Lineup made = lineup();
  EXPECT_EQ(made.arm_of_rival.at("tuned"), made.arm_of_rival.at("default"));
  EXPECT_NE(made.arm_of_rival.at("launch"), made.arm_of_rival.at("openblas"));
  EXPECT_LT(made.arms.size(), made.arm_of_rival.size());
  EXPECT_FALSE(made.labels.at("default").empty());
  EXPECT_FALSE(made.labels.contains("launch"));
}

TEST(BenchJson, GivesBackAnOrder) {
  ArmsOrder order{problem(), lineup().arms, 7, Cache::rotate, 20, 1.5};
  order.arms[1].outcome = Outcome::timeout;
  order.arms[1].detail = "no end";
  const ArmsOrder again = arms_order_from_json(json::parse(to_json(order).dump()));
  EXPECT_EQ(again.problem, order.problem);
  EXPECT_EQ(again.arms, order.arms);
  EXPECT_EQ(again.seed, order.seed);
  EXPECT_EQ(again.cache, order.cache);
  EXPECT_EQ(again.rounds, order.rounds);
  EXPECT_EQ(again.share_s, order.share_s);
}

ArmsReport report() {
  ArmsReport report;
  RivalResult arm;
  arm.outcome = Outcome::correct;
  arm.label = "label";
  arm.event_fault = "fault";
  arm.launches = 2;
  arm.error_over_bound = 0.5;
  arm.wall_ns = 0.1 + 0.2;  // every bit comes back
  arm.slope_ns = 3;
  arm.event_ns = 4;
  arm.throughput = {5, 6, 0.25, 0.5, "refused"};
  report.arms = {arm, arm};
  TimedRound timed;
  timed.round.order = {kCanary, 1, 0};
  timed.reply.ns = {1.0 / 3, 2, std::numeric_limits<double>::quiet_NaN()};
  report.rounds = {timed};
  report.void_rounds = 3;
  report.ceilings.copy_gbps = 9;
  return report;
}

TEST(BenchJson, GivesBackAReport) {
  const ArmsReport made = report();
  const ArmsReport again = arms_report_from_json(json::parse(to_json(made).dump()), 2);
  EXPECT_EQ(again.outcome, Outcome::correct);
  ASSERT_EQ(again.arms.size(), 2U);
  const RivalResult& arm = again.arms[0];
  EXPECT_EQ(arm.outcome, Outcome::correct);
  EXPECT_EQ(arm.label, "label");
  EXPECT_EQ(arm.event_fault, "fault");
  EXPECT_EQ(arm.launches, 2);
  EXPECT_EQ(arm.error_over_bound, 0.5);
  EXPECT_EQ(arm.wall_ns, 0.1 + 0.2);
  EXPECT_EQ(arm.slope_ns, 3);
  EXPECT_EQ(arm.event_ns, 4);
  EXPECT_EQ(arm.throughput.share_of_peak, 0.5);
  EXPECT_EQ(arm.throughput.refused, "refused");
  ASSERT_EQ(again.rounds.size(), 1U);
  EXPECT_EQ(again.rounds[0].round, made.rounds[0].round);
  EXPECT_EQ(again.rounds[0].reply.ns[0], 1.0 / 3);
  EXPECT_TRUE(std::isnan(again.rounds[0].reply.ns[2]));
  EXPECT_EQ(again.void_rounds, 3);
  EXPECT_EQ(again.ceilings, made.ceilings);
}

// A stray kernel may have spoiled the process that says so.
TEST(BenchJson, AReportOfOtherArmsIsNone) {
  EXPECT_ANY_THROW(arms_report_from_json(to_json(report()), 3));
  EXPECT_ANY_THROW(arms_report_from_json({{"fatal", "why"}}, 2));
  json stray = to_json(report());
  stray["rounds"][0]["round"]["order"] = {kCanary, 2, 0};
  EXPECT_ANY_THROW(arms_report_from_json(stray, 2));
}

}  // namespace
}  // namespace loratune
