// Covering sets: few rows in which every pair of values of every two axes occurs.
#pragma once

#include <vector>

namespace loratune {

// sizes[i] is the number of values of axis i. Rows of value indices; every pair of values of two
// different axes occurs in at least one. Greedy and deterministic, after the in-order strategy of
// pairwise testing tools.
std::vector<std::vector<int>> covering_set(const std::vector<int>& sizes);

}  // namespace loratune
