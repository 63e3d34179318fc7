#include "tuner/paired_samples.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::vector<double> valid(const std::vector<double>& values) {
  std::vector<double> times;
  std::copy_if(values.begin(), values.end(), std::back_inserter(times), is_time);
  return times;
}

}  // namespace

PairedSamples::PairedSamples(int arms) : ns_(at(arms)), doubled_ns_(at(arms)) {}

void PairedSamples::add(const Round& round, const RoundReply& reply) { add(round, {&reply, 1}); }

void PairedSamples::add(const Round& round, std::span<const RoundReply> replies) {
  for (std::size_t i = 0; i < ns_.size(); ++i) {
    const int arm = static_cast<int>(i);
    std::vector<double> ns, doubled_ns;
    for (const RoundReply& reply : replies) {
      ns.push_back(least_time(round.order, reply.ns, arm));
      doubled_ns.push_back(least_time(round.order, reply.doubled_ns, arm));
    }
    ns_[i].push_back(geometric_mean(ns));
    doubled_ns_[i].push_back(geometric_mean(doubled_ns));
  }
}

int PairedSamples::rounds(int arm) const {
  return static_cast<int>(std::count_if(ns_[at(arm)].begin(), ns_[at(arm)].end(), is_time));
}

std::vector<double> PairedSamples::times_ns(int arm) const { return valid(ns_[at(arm)]); }

double PairedSamples::median_ns(int arm) const { return median(times_ns(arm)); }

double PairedSamples::slope_ns(int arm) const {
  const double slope = 2 * median(valid(doubled_ns_[at(arm)])) - median_ns(arm);
  return is_time(slope) ? slope : 0;
}

std::vector<double> PairedSamples::log_ratios(int arm, int other) const {
  std::vector<double> log_ratios;
  for (std::size_t round = 0; round < ns_[at(arm)].size(); ++round) {
    const double ratio = ns_[at(arm)][round] / ns_[at(other)][round];
    if (is_time(ratio)) log_ratios.push_back(std::log(ratio));
  }
  return log_ratios;
}

MedianInterval PairedSamples::log_ratio(int arm, int other, double level) const {
  return median_interval(log_ratios(arm, other), level);
}

}  // namespace loratune
