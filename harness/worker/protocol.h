// What a Worker and its process say to each other: the JSON of results. Journals keep results in
// the same words.
#pragma once

#include <nlohmann/json.hpp>

#include "harness/process/shared_page.h"
#include "harness/timing/measure.h"
#include "tuner/problem_tuner.h"

namespace loratune {

static_assert(kNoArm < kCanary);

// Whether the outcome cost the process, or a context that is not to be trusted any more.
constexpr bool is_loss(Outcome outcome) {
  return outcome == Outcome::runtime || outcome == Outcome::timeout;
}

nlohmann::json to_json(const Prepared& prepared);
nlohmann::json to_json(const Round& round);
nlohmann::json to_json(const RoundReply& reply);
nlohmann::json to_json(const EventReading& reading);

// All throw nlohmann::json::exception or std::invalid_argument for what is no such result.
Prepared prepared_from_json(const nlohmann::json& value);
Round round_from_json(const nlohmann::json& value);
EventReading event_reading_from_json(const nlohmann::json& value);
// The reply to `round`: times are parallel to its order. A reply that blames an arm which is not in
// the round blames nobody, and is a void round: so a loss while nothing ran stood in journals once.
RoundReply round_reply_from_json(const nlohmann::json& value, const Round& round);

// A void round: no times, and nobody's fault.
inline RoundReply void_round() { return {}; }
// A round that `arm` could not finish.
RoundReply failed_round(int arm, Outcome failure);

}  // namespace loratune
