// A Surrogate predicts the cost of configs that were not tried from those that were: a Gaussian
// process whose covariance is a constant for one variant, plus an additive part, in which each
// parameter counts alone, plus a product part, in which all do. Parameters are told apart by their
// place in the order of their values, so that 16 to 32 is as far as 1 to 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loratune/variants/search_space.h"

namespace loratune {

// One config of one of the variants that are searched together, which are numbered from 0.
struct SpacePoint {
  int variant = 0;
  Config config;
  bool operator==(const SpacePoint&) const = default;
};

class Surrogate {
 public:
  explicit Surrogate(std::span<const SpacePoint> space);

  // Conditions on one more point; its cost is told with the next fit(). A point counts once.
  void add(std::size_t point);
  // Forgets the last `count` points that were added.
  void forget(std::size_t count);
  // The costs of the added points, in the order of add(); of a point whose cost is not known yet,
  // the mean that was predicted for it.
  void fit(std::span<const double> costs);

  struct Prediction {
    double mean, deviation;
  };
  Prediction predict(std::size_t point) const;

 private:
  double covariance(std::size_t a, std::size_t b) const;

  std::vector<int> variants_;
  // [point][parameter]: the place of the value among those that the variant has in the space.
  std::vector<std::vector<std::uint8_t>> places_;
  std::vector<std::size_t> added_;
  // With L the Cholesky factor of the added points' covariance and c(p) a point's covariances with
  // them, column p of these rows is L^-1 c(p).
  std::vector<std::vector<double>> rows_;
  std::vector<double> diagonal_;  // of L
  std::vector<double> weights_;   // L^-1 (costs - their mean)
  double prior_ = 0, scale_ = 1;
};

}  // namespace loratune
