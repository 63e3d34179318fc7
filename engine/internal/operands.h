// How the operands of a call stand, where they leave it to the problem to say.
#pragma once

#include "loratune/engine/engine.h"

namespace loratune {

// Rows of the call.
inline std::int64_t rows_of(const Operands& operands, const Problem& problem) {
  return operands.m < 0 ? problem.m : operands.m;
}

// The pitch of rows of that length.
inline std::int64_t pitch_of(std::int64_t ld, std::int64_t row) { return ld == 0 ? row : ld; }

}  // namespace loratune
