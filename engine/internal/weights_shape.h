// Whether weights have the shape that a problem takes.
#pragma once

#include <string>

#include "loratune/variants/problem.h"

namespace loratune {

// Why weights that were made for the one problem are none for the other: k, n, rank, slices or the
// type of the weights differ. Empty where they are the same.
std::string shape_reason(const Problem& weights, const Problem& problem);

}  // namespace loratune
