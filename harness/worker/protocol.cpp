#include "harness/worker/protocol.h"

#include <algorithm>
#include <stdexcept>

#include "harness/base/whole_from.h"

namespace loratune {
namespace {

using nlohmann::json;

std::vector<double> numbers_from(const json& value) {
  if (!value.is_array()) throw std::invalid_argument("times are no array");
  std::vector<double> numbers;
  for (const json& one : value) numbers.push_back(number_from(one));
  return numbers;
}

Outcome outcome_from(const json& value) {
  const auto outcome = parse_outcome(value.get<std::string>());
  if (!outcome) throw std::invalid_argument("there is no outcome " + value.dump());
  return *outcome;
}

}  // namespace

json to_json(const Prepared& prepared) {
  return {{"outcome", to_string(prepared.outcome)},
          {"probe_ns", prepared.probe_ns},
          {"error", prepared.error_over_bound},
          {"detail", prepared.detail}};
}

Prepared prepared_from_json(const json& value) {
  Prepared prepared;
  prepared.outcome = outcome_from(value.at("outcome"));
  prepared.probe_ns = number_from(value.at("probe_ns"));
  prepared.error_over_bound = number_from(value.at("error"));
  value.at("detail").get_to(prepared.detail);
  return prepared;
}

json to_json(const Round& round) {
  return {{"order", round.order}, {"doubled", round.doubled}, {"runs", round.runs}};
}

Round round_from_json(const json& value) {
  Round round;
  round.order = wholes_from(value.at("order"), "order");
  value.at("doubled").get_to(round.doubled);
  round.runs = whole_from<int>(value.at("runs"), "runs");
  return round;
}

json to_json(const RoundReply& reply) {
  json value = {{"ns", reply.ns}, {"stolen", reply.stolen}};
  if (!reply.doubled_ns.empty()) value["doubled_ns"] = reply.doubled_ns;
  if (reply.failed >= 0) {
    value["failed"] = reply.failed;
    value["failure"] = to_string(reply.failure);
  }
  return value;
}

RoundReply round_reply_from_json(const json& value, const Round& round) {
  RoundReply reply;
  reply.ns = numbers_from(value.at("ns"));
  value.at("stolen").get_to(reply.stolen);
  if (value.contains("doubled_ns")) reply.doubled_ns = numbers_from(value["doubled_ns"]);
  for (const auto* times : {&reply.ns, &reply.doubled_ns}) {
    if (!times->empty() && times->size() != round.order.size()) {
      throw std::invalid_argument("a round of " + std::to_string(round.order.size()) +
                                  " blocks has " + std::to_string(times->size()) + " times");
    }
  }
  if (!value.contains("failed")) return reply;
  const auto failed = whole_from<std::int64_t>(value["failed"], "failed");
  if (failed < 0 || std::count(round.order.begin(), round.order.end(), failed) == 0) {
    return void_round();
  }
  return failed_round(static_cast<int>(failed), outcome_from(value.at("failure")));
}

RoundReply failed_round(int arm, Outcome failure) {
  RoundReply reply;
  reply.failed = arm;
  reply.failure = failure;
  return reply;
}

json to_json(const EventReading& reading) {
  return {{"event_ns", reading.ns}, {"fault", reading.fault}};
}

EventReading event_reading_from_json(const json& value) {
  EventReading reading;
  reading.ns = number_from(value.at("event_ns"));
  value.at("fault").get_to(reading.fault);
  return reading;
}

}  // namespace loratune
