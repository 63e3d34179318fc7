// A machine that is made up: true times of arms, and the noise of a shared host around them.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "tuner/race.h"
#include "tuner/random.h"

namespace loratune {

struct Noise {
  double block = 0.05;       // sigma of the logarithm, each block
  double drift = 0.10;       // the same, common to a round
  double heavy_tail = 0.02;  // share of blocks that take several times as long
  double spike = 0.05;       // share of blocks that take a quarter longer
  double disturbed = 0.05;   // share of rounds in which all takes three times as long, unreported
  double stolen = 0.05;      // share of rounds with steal, reported as such
};

class Machine {
 public:
  Machine(std::vector<double> true_ns, std::uint64_t seed, Noise noise = {})
      : true_ns_(std::move(true_ns)), noise_(noise), random_(seed) {}

  RoundReply run(const Round& round) {
    RoundReply reply;
    double common = std::exp(noise_.drift * normal());
    if (happens(noise_.disturbed)) common *= 3;
    reply.stolen = happens(noise_.stolen);
    if (reply.stolen) common *= 1.5;
    for (const int arm : round.order) {
      const double ns = arm == kCanary ? 10'000.0 : true_ns_.at(static_cast<std::size_t>(arm));
      reply.ns.push_back(ns * common * block_noise());
      // 300 ns of each block are the same for any length.
      if (round.doubled) reply.doubled_ns.push_back((ns - 150) * common * block_noise());
    }
    return reply;
  }

  bool happens(double share) { return uniform() < share; }

 private:
  double uniform() { return static_cast<double>(random_.below(1U << 30)) / (1U << 30); }
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }
  double block_noise() {
    double factor = std::exp(noise_.block * normal());
    if (happens(noise_.heavy_tail)) factor *= 1 / std::sqrt(1 - uniform());  // infinite variance
    if (happens(noise_.spike)) factor *= 1.25;
    return factor;
  }

  std::vector<double> true_ns_;
  Noise noise_;
  Random random_;
};

inline constexpr Noise kQuiet = {0.002, 0, 0, 0, 0, 0};

}  // namespace loratune
