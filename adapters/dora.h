// DoRA (Liu et al., 2024, https://arxiv.org/abs/2402.09353) scales each row of the changed weights
// to a trained magnitude: y = g * (x W^T + scale * (x A^T) B^T) without the bias, with
//   g = magnitude / ||W + scale * B A||   the norm of each row.
// The norms need no W + scale * B A: of a row w and its row b of B,
//   ||w + scale * b A||^2 = ||w||^2 + 2 scale <w A^T, b> + scale^2 b (A A^T) b^T.
//
// Threads: functions of values, which any number of threads may call at a time.
#pragma once

#include <span>
#include <vector>

#include "loratune/adapters/lora_linear.h"

namespace loratune {

// The norm of each of the `out` rows of W + scale * B A, with w[out,in] row by row; sums in double.
// Throws std::invalid_argument where w has not that size.
std::vector<double> dora_norms(const LoraLinear& layer, std::span<const float> w);

// The factors g of the columns of y, from the magnitudes of the rows. A row of norm 0 has the
// factor 0: its y is 0 whatever it is multiplied by. Throws std::invalid_argument where a size is
// wrong.
std::vector<float> dora_gains(const LoraLinear& layer, std::span<const float> w,
                              std::span<const float> magnitude);

}  // namespace loratune
