#include "tuner/rounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tuner/statistics.h"

namespace loratune {

Round shuffled_round(std::uint64_t seed, int index, std::vector<int> arms, int sub_blocks) {
  arms.insert(arms.begin(), kCanary);
  Round round;
  round.index = index;
  Random random(mix_seed(seed, static_cast<std::uint64_t>(index)));
  for (int pass = 0; pass < sub_blocks; ++pass) {
    random.shuffle(arms);
    round.order.insert(round.order.end(), arms.begin(), arms.end());
  }
  return round;
}

bool is_time(double ns) { return std::isfinite(ns) && ns > 0; }

double least_time(const std::vector<int>& order, const std::vector<double>& ns, int arm) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < ns.size(); ++i) {
    if (order[i] == arm && is_time(ns[i]) && !(best <= ns[i])) best = ns[i];
  }
  return best;
}

bool CanaryWatch::undisturbed(const Round& round, const RoundReply& reply) {
  if (!reply.ns.empty() && reply.ns.size() != round.order.size()) {
    throw std::invalid_argument("round: times are not parallel to its order");
  }
  if (!reply.doubled_ns.empty() && reply.doubled_ns.size() != round.order.size()) {
    throw std::invalid_argument("round: doubled times are not parallel to its order");
  }
  const double canary = least_time(round.order, reply.ns, kCanary);
  if (!is_time(canary)) return false;
  sorted_ns_.insert(std::ranges::upper_bound(sorted_ns_, canary), canary);
  return !reply.stolen && reply.failed != kCanary &&
         canary <= limit_ * quantile_of_sorted(sorted_ns_, 0.1);
}

}  // namespace loratune
