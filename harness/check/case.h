// A Case is a problem with data: where the operands stand in their buffers, what values they hold,
// and what the float64 oracle says of the result.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/options.h"
#include "loratune/variants/problem.h"
#include "variants/internal/elements.h"

namespace loratune {

// exact: small integers and a power-of-two scale, so that every order of summation gives the same
// bits. real: N(0,1). nan_row: real, with a NaN in one row of x; of bf16
// also one in a row of B, of those bits that rounding could make a number of. overflow: results
// beyond the largest f16 (f32: like exact, but far larger, and exact only until y is added).
enum class Fill : std::uint8_t { exact, real, nan_row, overflow };
std::string_view to_string(Fill fill);

// Offsets and what row pitches have beyond the row, in elements. `weights` names the module whose
// A, B and scale the case has (of Fill::real); without a path they are made up. `apart`: each slice
// of a group has a buffer for its columns of y, with this offset and pitch.
struct Case {
  Problem problem;
  Fill fill = Fill::real;
  std::int64_t off_x = 0, pad_x = 0, off_y = 0, pad_y = 0;
  std::uint64_t seed = 1;
  AdapterArguments weights = {};
  bool apart = false;
};

// What a slot of a pool holds: of each module of a group the same rank, 0 of an empty slot.
struct SlotData {
  int rank = 0;
  std::vector<float> a, b, g;
  std::array<float, kMaxSlices> slice_scale{1, 1, 1, 1, 1, 1, 1, 1};
};

// Dense row-major operands in float, every value one of its tensor's type. Of a group a holds the A
// of each slice one below the other, b as many rows as y has columns, and the scale of a slice is
// the product of both. g, in full float: DoRA's factors of the columns.
struct CaseData {
  std::vector<float> x, a, b, y, g;
  float scale = 1.0F;
  std::array<float, kMaxSlices> slice_scale{1, 1, 1, 1, 1, 1, 1, 1};
  // With adapters these take the place of a, b and g: the slots of a pool, and that of each row. In
  // exact data ranks are mixed, slots are empty, and rows have an empty slot or -1; else the rows
  // have the problem's adapters in turn, of its rank.
  std::vector<SlotData> pool;
  std::vector<std::int32_t> slots;
};
CaseData make_data(const Case& problem_case);

// The rows of one adapter, as a problem of their own.
struct AdapterPart {
  Problem problem;
  CaseData data;
  std::vector<std::int64_t> rows;
};
std::vector<AdapterPart> adapter_parts(const Problem& problem, const CaseData& data);

// Whether the row has no adapter, so that its y is to stay as it is.
bool is_left_alone(const CaseData& data, std::int64_t row);

// The result in double, and for each element |y| + |scale| |x| |A|^T |B|^T, with DoRA |g| times
// that: what rounding errors are proportional to.
struct Oracle {
  std::vector<double> value, magnitude;
};
Oracle run_oracle(const Problem& problem, const CaseData& data);

// The constant c of the bound: see bound().
inline constexpr double kBoundFactor = 4.0;

// How far a float result may be from the oracle's: kBoundFactor * 2^-24 * sqrt(k + rank) *
// magnitude, for the rounding of sums of random sign in float, plus one rounding of the output to
// the dtype.
double bound(const Problem& problem, double value, double magnitude);

// The values as a tensor of the type stores them.
std::vector<unsigned char> to_storage(Dtype dtype, const std::vector<float>& values);

// What rounding to the type may change a number by, as a fraction of it.
double unit_roundoff(Dtype dtype);
// The least number that rounds to infinity.
double overflow_of(Dtype dtype);

}  // namespace loratune
