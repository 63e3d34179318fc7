// What --bench and the process that times its arms say to each other, as data and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/base/cache.h"
#include "harness/bench/arm_rounds.h"
#include "harness/bench/lineup.h"
#include "harness/bench/problem_result.h"

namespace loratune {

// Arms to be checked and timed on a problem.
struct ArmsOrder {
  Problem problem;
  std::vector<ArmSpec> arms;
  std::uint64_t seed = 1;
  Cache cache = Cache::warm;
  int rounds = 0;      // wanted
  double share_s = 0;  // the time that they may take
};

// What came of it. Of each arm everything but its times, which are in the rounds. Where `outcome`
// is not correct, `detail` says why no arm was run.
struct ArmsReport {
  Outcome outcome = Outcome::correct;
  std::string detail;
  std::vector<RivalResult> arms;
  std::vector<TimedRound> rounds;  // that nothing disturbed
  int void_rounds = 0;
  Ceilings ceilings;  // as far as they were known in the end
};

nlohmann::json to_json(const ArmsOrder& order);
nlohmann::json to_json(const ArmsReport& report);

// Both throw nlohmann::json::exception or std::invalid_argument for what is no such thing.
ArmsOrder arms_order_from_json(const nlohmann::json& value);
// A report of `arms` arms: one that has another number of them, or rounds of others, is none.
ArmsReport arms_report_from_json(const nlohmann::json& value, std::size_t arms);

}  // namespace loratune
