// Problems between C and C++.
#pragma once

#include "loratune/dispatch/choice.h"
#include "loratune/loratune.h"

namespace loratune::capi {

struct Asked {
  Problem problem;
  Mode mode = Mode::fast;
};

// Throws Refused for a struct that is refused, LORATUNE_UNSUPPORTED for what this build has no
// kernel for, and LORATUNE_INVALID_VALUE for what is no problem.
Asked asked(const loratune_problem* problem);

// A dtype of the caller's; `otherwise` for LORATUNE_DTYPE_DEFAULT. Throws Refused.
Dtype dtype_of(std::int32_t dtype, Dtype otherwise, const char* name);

// The shape of what the source holds, which is as long as it says. Throws Refused.
Problem shape_of(const loratune_weights_source& source);

loratune_problem to_c(const Problem& problem);

}  // namespace loratune::capi
