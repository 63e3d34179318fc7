#include "harness/bench/bench_json.h"

#include <algorithm>
#include <stdexcept>

#include "harness/base/plan_json.h"
#include "harness/base/whole_from.h"
#include "harness/worker/protocol.h"

namespace loratune {
namespace {

using nlohmann::json;

Outcome outcome_from(const json& value) {
  const auto outcome = parse_outcome(value.get<std::string>());
  if (!outcome) throw std::invalid_argument("there is no such outcome");
  return *outcome;
}

// An arm that another library runs has no plan.
json arm_json(const ArmSpec& arm) {
  json value = {{"other", arm.other}, {"outcome", to_string(arm.outcome)}, {"detail", arm.detail}};
  if (arm.other.empty()) value["plan"] = to_json(arm.plan);
  return value;
}

ArmSpec arm_from(const json& value) {
  ArmSpec arm;
  value.at("other").get_to(arm.other);
  arm.outcome = outcome_from(value.at("outcome"));
  value.at("detail").get_to(arm.detail);
  if (arm.other.empty()) arm.plan = plan_from_json(value.at("plan"));
  return arm;
}

json result_json(const RivalResult& result) {
  const Throughput& rate = result.throughput;
  return {{"outcome", to_string(result.outcome)},
          {"detail", result.detail},
          {"label", result.label},
          {"event_fault", result.event_fault},
          {"launches", result.launches},
          {"error", result.error_over_bound},
          {"wall_ns", result.wall_ns},
          {"slope_ns", result.slope_ns},
          {"event_ns", result.event_ns},
          {"rate", {rate.gbps, rate.gflops, rate.share_of_copy, rate.share_of_peak, rate.refused}}};
}

RivalResult result_from(const json& value) {
  RivalResult result;
  result.outcome = outcome_from(value.at("outcome"));
  value.at("detail").get_to(result.detail);
  value.at("label").get_to(result.label);
  value.at("event_fault").get_to(result.event_fault);
  result.launches = whole_from<int>(value.at("launches"), "launches", 0);
  result.error_over_bound = number_from(value.at("error"));
  result.wall_ns = number_from(value.at("wall_ns"));
  result.slope_ns = number_from(value.at("slope_ns"));
  result.event_ns = number_from(value.at("event_ns"));
  const json& rate = value.at("rate");
  result.throughput = {number_from(rate.at(0)), number_from(rate.at(1)), number_from(rate.at(2)),
                       number_from(rate.at(3)), rate.at(4).get<std::string>()};
  return result;
}

}  // namespace

json to_json(const ArmsOrder& order) {
  json arms = json::array();
  for (const ArmSpec& arm : order.arms) arms.push_back(arm_json(arm));
  return {
      {"problem", to_string(order.problem)}, {"arms", arms},           {"seed", order.seed},
      {"cache", to_string(order.cache)},     {"rounds", order.rounds}, {"share_s", order.share_s}};
}

ArmsOrder arms_order_from_json(const json& value) {
  ArmsOrder order;
  std::string why;
  const auto problem = parse_problem(value.at("problem").get<std::string>(), why);
  const auto cache = parse_cache(value.at("cache").get<std::string>());
  if (!problem || !cache) throw std::invalid_argument("no order: " + why);
  order.problem = *problem;
  order.cache = *cache;
  for (const json& arm : value.at("arms")) order.arms.push_back(arm_from(arm));
  value.at("seed").get_to(order.seed);
  order.rounds = whole_from<int>(value.at("rounds"), "rounds", 1);
  value.at("share_s").get_to(order.share_s);
  return order;
}

json to_json(const ArmsReport& report) {
  json arms = json::array();
  for (const RivalResult& result : report.arms) arms.push_back(result_json(result));
  json rounds = json::array();
  for (const TimedRound& timed : report.rounds) {
    rounds.push_back({{"round", to_json(timed.round)}, {"reply", to_json(timed.reply)}});
  }
  return {{"outcome", to_string(report.outcome)},
          {"detail", report.detail},
          {"arms", arms},
          {"rounds", rounds},
          {"void_rounds", report.void_rounds},
          {"ceilings", to_json(report.ceilings)}};
}

ArmsReport arms_report_from_json(const json& value, std::size_t arms) {
  ArmsReport report;
  report.outcome = outcome_from(value.at("outcome"));
  value.at("detail").get_to(report.detail);
  report.ceilings = ceilings_from_json(value.at("ceilings"));
  report.void_rounds = whole_from<int>(value.at("void_rounds"), "void_rounds", 0);
  for (const json& result : value.at("arms")) report.arms.push_back(result_from(result));
  if (report.outcome == Outcome::correct && report.arms.size() != arms) {
    throw std::invalid_argument("the report is of other arms");
  }
  for (const json& timed : value.at("rounds")) {
    Round round = round_from_json(timed.at("round"));
    const auto is_arm = [&](int arm) { return arm >= kCanary && arm < static_cast<int>(arms); };
    if (!std::all_of(round.order.begin(), round.order.end(), is_arm)) {
      throw std::invalid_argument("a round is of other arms");
    }
    RoundReply reply = round_reply_from_json(timed.at("reply"), round);
    report.rounds.push_back({std::move(round), std::move(reply)});
  }
  return report;
}

}  // namespace loratune
