// The slices of a group, each as a problem and as columns of y. A problem without slices is one
// slice of all its columns here, so that who goes through the slices need not ask.
//
// Threads: functions that any number of threads may call at a time.
#pragma once

#include <cstdint>

#include "loratune/variants/problem.h"

namespace loratune {

// Columns of the slices before slice i in [0, slice_count].
constexpr std::int64_t columns_before(const Problem& problem, int i) {
  std::int64_t columns = 0;
  for (int before = 0; before < i; ++before) columns += slice_columns(problem, before);
  return columns;
}

// The problem of one slice alone.
constexpr Problem slice_problem(Problem problem, int i) {
  problem.n = slice_columns(problem, i);
  problem.slices = {};
  return problem;
}

}  // namespace loratune
