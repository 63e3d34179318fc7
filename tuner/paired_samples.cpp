#include "tuner/paired_samples.h"

#include <cmath>
#include <set>

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

PairedSamples::PairedSamples(int arms) : samples_(at(arms)) {}

void PairedSamples::add(const Round& round, const RoundReply& reply) { add(round, {&reply, 1}); }

void PairedSamples::add(const Round& round, std::span<const RoundReply> replies) {
  ++rounds_;
  for (const int arm : std::set<int>(round.order.begin(), round.order.end())) {
    if (arm == kCanary) continue;
    std::vector<double> ns, doubled_ns;
    for (const RoundReply& reply : replies) {
      ns.push_back(least_time(round.order, reply.ns, arm));
      doubled_ns.push_back(least_time(round.order, reply.doubled_ns, arm));
    }
    samples_.at(at(arm)).push_back({rounds_, geometric_mean(ns), geometric_mean(doubled_ns)});
  }
}

std::vector<double> PairedSamples::times(int arm, double Sample::*time) const {
  std::vector<double> times;
  for (const Sample& sample : samples_[at(arm)]) {
    if (is_time(sample.*time)) times.push_back(sample.*time);
  }
  return times;
}

int PairedSamples::rounds(int arm) const { return static_cast<int>(times_ns(arm).size()); }

std::vector<double> PairedSamples::times_ns(int arm) const { return times(arm, &Sample::ns); }

double PairedSamples::median_ns(int arm) const { return median(times_ns(arm)); }

double PairedSamples::slope_ns(int arm) const {
  const double slope = 2 * median(times(arm, &Sample::doubled_ns)) - median_ns(arm);
  return is_time(slope) ? slope : 0;
}

std::vector<double> PairedSamples::log_ratios(int arm, int other) const {
  std::vector<double> log_ratios;
  auto theirs = samples_[at(other)].begin();
  for (const Sample& sample : samples_[at(arm)]) {
    while (theirs != samples_[at(other)].end() && theirs->round < sample.round) ++theirs;
    if (theirs == samples_[at(other)].end()) break;
    const double ratio = sample.ns / theirs->ns;
    if (theirs->round == sample.round && is_time(ratio)) log_ratios.push_back(std::log(ratio));
  }
  return log_ratios;
}

MedianInterval PairedSamples::log_ratio(int arm, int other, double level) const {
  return median_interval(log_ratios(arm, other), level);
}

}  // namespace loratune
