// Whether weights have the shape that a problem takes.
#pragma once

#include <string>

#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Why weights that were made for the one problem are none for the other: k, n, rank, slices or the
// type of the weights differ. Empty where they are the same.
std::string shape_reason(const Problem& weights, const Problem& problem);

// The bytes that weights of the shape take in the layouts of a plan without parts, B beginning at
// the next multiple of kWeightsAlign whether the plan joins them or not.
std::int64_t packed_bytes(const Problem& shape, const LaunchPlan& plan);

}  // namespace loratune
