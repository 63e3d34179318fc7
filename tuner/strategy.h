// A Strategy decides which configs of a space are tried, one small batch after another: it is asked
// for the next points and told what each of them cost. It knows no device. Its choices follow from
// seed and costs alone, so that a journal or a recording can answer in a device's place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "loratune/variants/problem.h"
#include "tuner/surrogate.h"

namespace loratune {

// exhaustive: the points in the order of the space. random: the points shuffled by the seed. cold:
// the point from which a model of the costs so far expects most. automatic: as cold, after hints of
// what was best on neighbouring problems.
enum class StrategyKind : std::uint8_t { exhaustive, random, cold, automatic };

std::string_view to_string(StrategyKind kind);  // `auto` for automatic
std::optional<StrategyKind> parse_strategy(std::string_view text);

class Strategy {
 public:
  // `hints`: points of the space to be tried before all others, in order; the default comes first.
  // exhaustive ignores them, random takes the first one.
  Strategy(StrategyKind kind, std::vector<SpacePoint> space, std::vector<std::size_t> hints,
           std::uint64_t seed);

  // Up to `count` points that were not asked for before; fewer only where the space ends. With
  // `prices`, of every point, the model goes by what it expects to gain for its price.
  std::vector<std::size_t> ask(std::size_t count, std::span<const double> prices = {});
  // What a point took, in any one unit; not positive or not finite: it cannot run. Points that
  // were not asked for may be told too.
  void tell(std::size_t point, double cost);

  const std::vector<SpacePoint>& space() const { return space_; }
  // The cheapest points that were told, best first.
  std::vector<std::size_t> best(std::size_t count) const;
  // By how much, in ln cost, the most promising point is expected to beat the best one. Infinite
  // before anything was told, 0 where all was asked for.
  double expected_gain();

 private:
  struct Told {
    std::size_t point;
    double cost;
  };
  std::vector<double> log_costs() const;
  std::optional<std::size_t> most_promising(double best, std::span<const double> prices);
  double improvement(std::size_t point, double best) const;
  std::optional<std::size_t> next_in_order();

  std::vector<SpacePoint> space_;
  std::vector<std::size_t> order_;  // hints, then the rest
  std::size_t hints_ = 0, next_ = 0;
  std::vector<bool> asked_;
  std::vector<Told> told_;
  std::optional<Surrogate> surrogate_;
};

// Appends each point of `more` that `points` does not hold yet.
void append_new(std::vector<std::size_t>& points, std::span<const std::size_t> more);

// What a search found on one problem, best first.
struct Found {
  Problem problem;
  std::vector<SpacePoint> best;
};

// Points of the space for a search on `problem` to begin with: what was best on the problems
// nearest to it by the ratios of m, k, n and rank. A point that the space lacks is replaced by the
// nearest one that it has.
std::vector<std::size_t> warm_start(const Problem& problem, std::span<const SpacePoint> space,
                                    std::span<const Found> found);

}  // namespace loratune
