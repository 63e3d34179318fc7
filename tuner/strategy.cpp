#include "tuner/strategy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "tuner/random.h"

namespace loratune {
namespace {

constexpr std::array<std::pair<std::string_view, StrategyKind>, 4> kNames = {
    {{"exhaustive", StrategyKind::exhaustive},
     {"random", StrategyKind::random},
     {"cold", StrategyKind::cold},
     {"auto", StrategyKind::automatic}}};

constexpr std::size_t kDraws = 2;     // random points before the model says anything
constexpr double kFarBehind = 1.5;    // ln cost above the best beyond which all is equally bad
constexpr std::size_t kNearest = 6;   // neighbouring problems that are listened to
constexpr std::size_t kFromEach = 1;  // points of each: more of them are much alike

bool is_cost(double cost) { return cost > 0 && std::isfinite(cost); }

// Doublings between two extents.
double doublings(std::int64_t a, std::int64_t b) {
  return std::abs(std::log2(static_cast<double>(std::max<std::int64_t>(a, 1)) /
                            static_cast<double>(std::max<std::int64_t>(b, 1))));
}

double distance(const Problem& a, const Problem& b) {
  return doublings(a.m, b.m) + doublings(a.k, b.k) + doublings(a.n, b.n) +
         doublings(a.rank, b.rank) + (a.dtype != b.dtype ? 2 : 0) +
         (a.dtype == b.dtype && weights_dtype(a) != weights_dtype(b) ? 1 : 0) +
         doublings(slice_count(a), slice_count(b)) + doublings(a.adapters, b.adapters) +
         (a.dora != b.dora ? 0.5 : 0) + (a.accumulate != b.accumulate ? 0.5 : 0);
}

// The point of the same variant with the least distance: 1 for each parameter that differs, plus
// the doublings between its two values.
std::optional<std::size_t> nearest(const SpacePoint& wanted, std::span<const SpacePoint> space) {
  std::optional<std::size_t> closest;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < space.size(); ++i) {
    const SpacePoint& point = space[i];
    if (point.variant != wanted.variant || point.config.size() != wanted.config.size()) continue;
    double apart = 0;
    for (int p = 0; p < point.config.size(); ++p) {
      if (point.config[p] == wanted.config[p]) continue;
      apart += 1 + doublings(point.config[p], wanted.config[p]);
    }
    if (apart >= least) continue;
    least = apart;
    closest = i;
  }
  return closest;
}

}  // namespace

std::string_view to_string(StrategyKind kind) {
  return kNames[static_cast<std::size_t>(kind)].first;
}

std::optional<StrategyKind> parse_strategy(std::string_view text) {
  for (const auto& [name, kind] : kNames) {
    if (name == text) return kind;
  }
  return std::nullopt;
}

Strategy::Strategy(StrategyKind kind, std::vector<SpacePoint> space, std::vector<std::size_t> hints,
                   std::uint64_t seed)
    : space_(std::move(space)), asked_(space_.size()) {
  if (kind == StrategyKind::exhaustive) hints.clear();
  if (kind == StrategyKind::random && !hints.empty()) hints = {hints.front()};
  std::vector<std::size_t> rest(space_.size());
  std::iota(rest.begin(), rest.end(), 0);
  if (kind != StrategyKind::exhaustive) Random(seed).shuffle(rest);
  order_ = std::move(hints);
  hints_ = order_.size();
  order_.insert(order_.end(), rest.begin(), rest.end());
  if (kind == StrategyKind::cold || kind == StrategyKind::automatic) surrogate_.emplace(space_);
}

std::optional<std::size_t> Strategy::next_in_order() {
  while (next_ < order_.size() && asked_[order_[next_]]) ++next_;
  if (next_ == order_.size()) return std::nullopt;
  return order_[next_];
}

std::vector<std::size_t> Strategy::ask(std::size_t count, std::span<const double> prices) {
  std::vector<std::size_t> wanted;
  std::vector<double> costs = log_costs();
  std::size_t supposed = 0;
  const std::size_t drawn = hints_ + kDraws;
  while (wanted.size() < count) {
    std::optional<std::size_t> point = next_in_order();
    if (!point) break;
    const bool model = surrogate_ && !told_.empty() && next_ >= drawn;
    if (surrogate_ && !told_.empty()) surrogate_->fit(costs);
    if (model) point = most_promising(*std::min_element(costs.begin(), costs.end()), prices);
    asked_[*point] = true;
    wanted.push_back(*point);
    // Until it is told, a point is supposed to cost what is expected of it.
    if (surrogate_ && !told_.empty() && wanted.size() < count) {
      costs.push_back(surrogate_->predict(*point).mean);
      surrogate_->add(*point);
      ++supposed;
    }
  }
  if (surrogate_) surrogate_->forget(supposed);
  return wanted;
}

void Strategy::tell(std::size_t point, double cost) {
  asked_[point] = true;
  told_.push_back({point, cost});
  if (surrogate_) surrogate_->add(point);
}

std::vector<std::size_t> Strategy::best(std::size_t count) const {
  std::vector<Told> able;
  std::copy_if(told_.begin(), told_.end(), std::back_inserter(able),
               [](const Told& told) { return is_cost(told.cost); });
  std::stable_sort(able.begin(), able.end(),
                   [](const Told& a, const Told& b) { return a.cost < b.cost; });
  std::vector<std::size_t> points;
  for (const Told& told : able) {
    if (points.size() < count) points.push_back(told.point);
  }
  return points;
}

// ln(cost / best cost) of each point told, at most kFarBehind; a point that cannot run has that.
std::vector<double> Strategy::log_costs() const {
  double best = std::numeric_limits<double>::infinity();
  for (const Told& told : told_) {
    if (is_cost(told.cost)) best = std::min(best, std::log(told.cost));
  }
  std::vector<double> costs;
  for (const Told& told : told_) {
    costs.push_back(is_cost(told.cost) ? std::min(std::log(told.cost) - best, kFarBehind)
                                       : kFarBehind);
  }
  return costs;
}

// The expectation of how far a normally distributed cost lies below the best.
double Strategy::improvement(std::size_t point, double best) const {
  const auto [mean, deviation] = surrogate_->predict(point);
  if (!(deviation > 0)) return std::max(best - mean, 0.0);
  const double z = (best - mean) / deviation;
  const double below = 0.5 * std::erfc(-z * 0.70710678118654752);
  return (best - mean) * below + deviation * 0.3989422804014327 * std::exp(-0.5 * z * z);
}

std::optional<std::size_t> Strategy::most_promising(double best, std::span<const double> prices) {
  std::optional<std::size_t> chosen;
  double most = -1;
  for (const std::size_t point : order_) {  // equals fall as the seed has shuffled them
    if (asked_[point]) continue;
    const double gain = improvement(point, best) / (prices.empty() ? 1 : prices[point]);
    if (gain <= most) continue;
    most = gain;
    chosen = point;
  }
  return chosen;
}

double Strategy::expected_gain() {
  if (told_.empty()) return std::numeric_limits<double>::infinity();
  if (!surrogate_) return 0;
  const std::vector<double> costs = log_costs();
  surrogate_->fit(costs);
  const double best = *std::min_element(costs.begin(), costs.end());
  const auto point = most_promising(best, {});
  return point ? improvement(*point, best) : 0;
}

void append_new(std::vector<std::size_t>& points, std::span<const std::size_t> more) {
  for (const std::size_t point : more) {
    if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
  }
}

std::vector<std::size_t> warm_start(const Problem& problem, std::span<const SpacePoint> space,
                                    std::span<const Found> found) {
  std::vector<const Found*> nearby;
  for (const Found& one : found) nearby.push_back(&one);
  std::stable_sort(nearby.begin(), nearby.end(), [&](const Found* a, const Found* b) {
    return distance(a->problem, problem) < distance(b->problem, problem);
  });
  if (nearby.size() > kNearest) nearby.resize(kNearest);
  std::vector<std::size_t> hints;
  for (std::size_t i = 0; i < kFromEach; ++i) {
    for (const Found* one : nearby) {
      if (i >= one->best.size()) continue;
      if (const auto point = nearest(one->best[i], space)) append_new(hints, {&*point, 1});
    }
  }
  return hints;
}

}  // namespace loratune
