#include "tuner/surrogate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

namespace loratune {
namespace {

// Shares of the covariance; chosen, like the lengths, on recorded sweeps.
constexpr double kSameVariant = 0.1, kAdditive = 0.6, kProduct = 0.3;
constexpr double kNoise = 0.01;
constexpr double kAdditiveLength = 2, kProductLength = 5;  // in places

// exp(-steps / length) for as many steps as an axis may have.
constexpr std::size_t kMostSteps = 256;
std::array<double, kMostSteps> decay(double length) {
  std::array<double, kMostSteps> table{};
  for (std::size_t i = 0; i < kMostSteps; ++i) {
    table[i] = std::exp(-static_cast<double>(i) / length);
  }
  return table;
}

using Places = std::vector<std::vector<std::uint8_t>>;

Places places_of(std::span<const SpacePoint> space) {
  std::map<std::pair<int, int>, std::set<std::int32_t>> values;  // by variant and parameter
  for (const SpacePoint& point : space) {
    for (int i = 0; i < point.config.size(); ++i) {
      values[{point.variant, i}].insert(point.config[i]);
    }
  }
  Places places;
  for (const SpacePoint& point : space) {
    places.emplace_back();
    for (int i = 0; i < point.config.size(); ++i) {
      const auto& axis = values[{point.variant, i}];
      const auto place = std::distance(axis.begin(), axis.find(point.config[i]));
      places.back().push_back(
          static_cast<std::uint8_t>(std::min<std::ptrdiff_t>(place, kMostSteps - 1)));
    }
  }
  return places;
}

}  // namespace

Surrogate::Surrogate(std::span<const SpacePoint> space) : places_(places_of(space)) {
  for (const SpacePoint& point : space) variants_.push_back(point.variant);
}

double Surrogate::covariance(std::size_t a, std::size_t b) const {
  static const auto kAdditiveDecay = decay(kAdditiveLength);
  static const auto kProductDecay = decay(kProductLength);
  if (variants_[a] != variants_[b]) return 0;
  const std::size_t parameters = places_[a].size();
  double sum = 0;
  double all = 1;
  for (std::size_t i = 0; i < parameters; ++i) {
    const auto steps = static_cast<std::size_t>(std::abs(places_[a][i] - places_[b][i]));
    sum += kAdditiveDecay[steps];
    all *= kProductDecay[steps];
  }
  const double mean = parameters > 0 ? sum / static_cast<double>(parameters) : 1;
  return kSameVariant + kAdditive * mean + kProduct * all;
}

void Surrogate::add(std::size_t point) {
  double left = 1 + kNoise;
  for (const auto& row : rows_) left -= row[point] * row[point];
  const double diagonal = std::sqrt(std::max(left, kNoise / 2));
  std::vector<double> row(variants_.size(), 0.0);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (variants_[i] != variants_[point]) continue;
    row[i] = covariance(i, point);
  }
  for (const auto& earlier : rows_) {
    if (earlier[point] == 0) continue;
    for (std::size_t i = 0; i < row.size(); ++i) row[i] -= earlier[point] * earlier[i];
  }
  for (double& value : row) value /= diagonal;
  rows_.push_back(std::move(row));
  diagonal_.push_back(diagonal);
  added_.push_back(point);
}

void Surrogate::forget(std::size_t count) {
  const std::size_t left = added_.size() - count;
  rows_.resize(left);
  diagonal_.resize(left);
  added_.resize(left);
  weights_.resize(std::min(weights_.size(), left));
}

void Surrogate::fit(std::span<const double> costs) {
  prior_ = costs.empty() ? 0
                         : std::accumulate(costs.begin(), costs.end(), 0.0) /
                               static_cast<double>(costs.size());
  double variance = 0;
  for (const double cost : costs) variance += (cost - prior_) * (cost - prior_);
  variance /= static_cast<double>(std::max<std::size_t>(costs.size(), 1));
  scale_ = std::sqrt(std::max(variance, 1e-4));
  weights_.clear();
  for (std::size_t i = 0; i < added_.size(); ++i) {
    double rest = costs[i] - prior_;
    for (std::size_t j = 0; j < i; ++j) rest -= rows_[j][added_[i]] * weights_[j];
    weights_.push_back(rest / diagonal_[i]);
  }
}

Surrogate::Prediction Surrogate::predict(std::size_t point) const {
  double mean = prior_;
  double variance = 1;
  for (std::size_t j = 0; j < rows_.size(); ++j) {
    const double part = rows_[j][point];
    if (j < weights_.size()) mean += part * weights_[j];
    variance -= part * part;
  }
  return {mean, scale_ * std::sqrt(std::max(variance, 0.0))};
}

}  // namespace loratune
