// A few problems that stand for many. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

// Indices of at most `count` problems, spread over dtype, accumulate, rank, m, k and n: each next
// one has the values, and then the pairs of values, that were taken least often so far. The first
// of equals; the same for the same problems.
std::vector<std::size_t> stratified(std::span<const Problem> problems, std::size_t count);

}  // namespace loratune
