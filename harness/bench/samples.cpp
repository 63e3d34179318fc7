#include "harness/bench/samples.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::vector<double> valid(const std::vector<double>& values) {
  std::vector<double> times;
  for (const double value : values) {
    if (is_time(value)) times.push_back(value);
  }
  return times;
}

}  // namespace

PairedSamples::PairedSamples(int arms) : ns_(at(arms)), doubled_ns_(at(arms)) {}

void PairedSamples::add(const Round& round, const RoundReply& reply) {
  for (std::size_t arm = 0; arm < ns_.size(); ++arm) {
    const int id = static_cast<int>(arm);
    ns_[arm].push_back(least_time(round.order, reply.ns, id));
    doubled_ns_[arm].push_back(least_time(round.order, reply.doubled_ns, id));
  }
}

int PairedSamples::rounds(int arm) const { return static_cast<int>(times_ns(arm).size()); }

std::vector<double> PairedSamples::times_ns(int arm) const { return valid(ns_[at(arm)]); }

double PairedSamples::median_ns(int arm) const { return median(times_ns(arm)); }

double PairedSamples::slope_ns(int arm) const {
  const std::vector<double> doubled = valid(doubled_ns_[at(arm)]);
  const double slope = doubled.empty() ? 0 : 2 * median(doubled) - median_ns(arm);
  return is_time(slope) ? slope : 0;
}

MedianInterval PairedSamples::log_ratio(int arm, int other) const {
  constexpr double kLevel = 0.975;
  std::vector<double> log_ratios;
  for (std::size_t i = 0; i < ns_[at(arm)].size(); ++i) {
    const double ratio = ns_[at(arm)][i] / ns_[at(other)][i];
    if (is_time(ratio)) log_ratios.push_back(std::log(ratio));
  }
  return median_interval(log_ratios, kLevel);
}

Replay::Replay(std::vector<double> times_ns) : times_ns_(std::move(times_ns)) {
  if (times_ns_.empty()) throw std::invalid_argument("replay: no times");
}

double Replay::next_seconds() { return times_ns_[next_++ % times_ns_.size()] * 1e-9; }

RoundShape shape_rounds(const std::vector<double>& block_ns, double share_ns, int wanted) {
  const double pass = std::accumulate(block_ns.begin(), block_ns.end(), 0.0) * wanted;
  RoundShape shape;
  const auto too_long = [&] {
    return pass * shape.sub_blocks * (shape.doubled ? 3 : 1) > share_ns;
  };
  if (too_long()) shape.doubled = false;
  if (too_long()) shape.sub_blocks = 2;
  return shape;
}

}  // namespace loratune
