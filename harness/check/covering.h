// Covering sets: few rows in which every pair of values of every two axes occurs.
#pragma once

#include <cstddef>
#include <vector>

namespace loratune {

// Two values of two axes that no row may have together.
struct Excluded {
  std::size_t axis;
  int value;
  std::size_t other_axis;
  int other;
};

// sizes[i] is the number of values of axis i. Rows of value indices; every pair of values of two
// different axes occurs in at least one, but for the excluded pairs, which occur in none. Each
// value must go with some value of every other axis, whatever the rest of the row is. Greedy and
// deterministic, after the in-order strategy of pairwise testing tools.
std::vector<std::vector<int>> covering_set(const std::vector<int>& sizes,
                                           const std::vector<Excluded>& excluded = {});

}  // namespace loratune
