#include "harness/gate/stratify.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace loratune {
namespace {

constexpr std::size_t kAxes = 6;
using Point = std::array<std::int64_t, kAxes>;

// Types, slices and what else makes a kind are one axis: of most lists of problems it has few
// values.
Point point_of(const Problem& p) {
  Kind rest = kind_of(p);
  rest.accumulate = true;
  const std::string name = to_string(rest.slices) + "_" + to_string(rest);
  const auto axis = static_cast<std::int64_t>(std::hash<std::string>()(name));
  return {axis, p.accumulate ? 1 : 0, p.rank, p.m, p.k, p.n};
}

// How often each value of an axis, and each pair of values of two axes, was taken.
class Taken {
 public:
  void add(const Point& point) {
    visit(point, [](int& times) { ++times; });
  }
  // First the values, then the pairs that are new.
  std::pair<double, double> novelty(const Point& point) {
    double values = 0;
    double pairs = 0;
    std::size_t visited = 0;
    visit(point,
          [&](const int& times) { (visited++ < kAxes ? values : pairs) += 1.0 / (1 + times); });
    return {values, pairs};
  }

 private:
  template <class F>
  void visit(const Point& point, F&& f) {
    for (std::size_t i = 0; i < kAxes; ++i) f(values_[{i, point[i]}]);
    for (std::size_t i = 0; i < kAxes; ++i) {
      for (std::size_t j = 0; j < i; ++j) f(pairs_[{{i, point[i]}, {j, point[j]}}]);
    }
  }

  using Value = std::pair<std::size_t, std::int64_t>;
  std::map<Value, int> values_;
  std::map<std::pair<Value, Value>, int> pairs_;
};

}  // namespace

std::vector<std::size_t> stratified(std::span<const Problem> problems, std::size_t count) {
  std::vector<std::size_t> chosen;
  Taken taken;
  while (chosen.size() < std::min(count, problems.size())) {
    std::size_t best = problems.size();
    std::pair<double, double> most{-1, -1};
    for (std::size_t i = 0; i < problems.size(); ++i) {
      if (std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
      const auto novelty = taken.novelty(point_of(problems[i]));
      if (novelty > most) {
        most = novelty;
        best = i;
      }
    }
    taken.add(point_of(problems[best]));
    chosen.push_back(best);
  }
  return chosen;
}

}  // namespace loratune
