// How --bench spends a problem's share of the time on rounds, and how Google Benchmark, which would
// rather run a loop of its own, is given the times that these rounds found.
#pragma once

#include <cstddef>
#include <vector>

namespace loratune {

// A SampleFeed gives measured times one by one, again from the first when all were given.
class SampleFeed {
 public:
  // Throws std::invalid_argument without a time.
  explicit SampleFeed(std::vector<double> times_ns);
  double next_seconds();

 private:
  std::vector<double> times_ns_;
  std::size_t next_ = 0;
};

// How a problem's rounds are cut so that `wanted` of them take no longer than `share_ns`, if that
// can be: first without doubled blocks, then with two blocks an arm instead of four.
struct RoundShape {
  int sub_blocks = 4;
  bool doubled = true;
  bool operator==(const RoundShape&) const = default;
};
// `block_ns`: what each arm's block takes.
RoundShape shape_rounds(const std::vector<double>& block_ns, double share_ns, int wanted);

}  // namespace loratune
