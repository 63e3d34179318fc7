#include "harness/bench/samples.h"

#include <numeric>
#include <stdexcept>
#include <utility>

namespace loratune {

SampleFeed::SampleFeed(std::vector<double> times_ns) : times_ns_(std::move(times_ns)) {
  if (times_ns_.empty()) throw std::invalid_argument("sample feed: no times");
}

double SampleFeed::next_seconds() { return times_ns_[next_++ % times_ns_.size()] * 1e-9; }

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
