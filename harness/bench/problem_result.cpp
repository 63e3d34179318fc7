#include "harness/bench/problem_result.h"

namespace loratune {

std::optional<MedianInterval> ProblemResult::log_ratio(const std::string& rival,
                                                       const std::string& other) const {
  const auto timed = [&](const std::string& name) {
    const auto found = rivals.find(name);
    return found != rivals.end() && found->second.outcome == Outcome::correct;
  };
  if (!timed(rival) || !timed(other)) return std::nullopt;
  const MedianInterval interval = samples.log_ratio(arm.at(rival), arm.at(other));
  if (interval.count == 0) return std::nullopt;
  return interval;
}

}  // namespace loratune
