#include "capi/internal/problem.h"

#include <algorithm>
#include <iterator>

#include "capi/internal/boundary.h"
#include "dispatch/internal/printable.h"

namespace loratune::capi {
namespace {

[[noreturn]] void invalid(const std::string& what) { throw Refused(LORATUNE_INVALID_VALUE, what); }

std::int32_t to_c(Dtype dtype) {
  static_assert(static_cast<int>(Dtype::f32) + 1 == LORATUNE_DTYPE_F32);
  static_assert(static_cast<int>(Dtype::f16) + 1 == LORATUNE_DTYPE_F16);
  static_assert(static_cast<int>(Dtype::bf16) + 1 == LORATUNE_DTYPE_BF16);
  return static_cast<std::int32_t>(dtype) + 1;
}

}  // namespace

Dtype dtype_of(std::int32_t dtype, Dtype otherwise, const char* name) {
  switch (dtype) {
    case LORATUNE_DTYPE_DEFAULT:
      return otherwise;
    case LORATUNE_DTYPE_F32:
      return Dtype::f32;
    case LORATUNE_DTYPE_F16:
      return Dtype::f16;
    case LORATUNE_DTYPE_BF16:
      return Dtype::bf16;
    default:
      invalid(std::string(name) + " = " + std::to_string(dtype) + " is no loratune_dtype");
  }
}

Asked asked(const loratune_problem* problem) {
  const loratune_problem p = taken(problem, "problem");
  Asked asked;
  if (p.op != LORATUNE_OP_FORWARD)
    invalid("op = " + std::to_string(p.op) + " is no loratune_op_kind");
  if (p.mode < LORATUNE_MODE_FAST || p.mode > LORATUNE_MODE_BATCH_INVARIANT) {
    invalid("mode = " + std::to_string(p.mode) + " is no loratune_mode");
  }
  asked.mode = static_cast<Mode>(p.mode);
  const Dtype dtype = dtype_of(p.dtype, Dtype::f32, "dtype");
  set_types(asked.problem, {dtype, dtype_of(p.weights_dtype, dtype, "weights_dtype")});
  if (p.overwrite != 0 && p.overwrite != 1) invalid("overwrite is neither 0 nor 1");
  if (p.dora != 0 && p.dora != 1) invalid("dora is neither 0 nor 1");
  asked.problem.dora = p.dora == 1;
  asked.problem.adapters = p.adapters;
  asked.problem.slices.count = p.slice_count;
  static_assert(sizeof p.slice_n / sizeof p.slice_n[0] == kMaxSlices);
  std::copy(std::begin(p.slice_n), std::end(p.slice_n), asked.problem.slices.columns.begin());
  asked.problem.accumulate = p.overwrite == 0;
  asked.problem.m = p.m;
  asked.problem.k = p.k;
  asked.problem.n = p.n;
  asked.problem.rank = p.rank;
  asked.problem.align = p.align;
  const std::string why = invalid_reason(asked.problem);
  if (!why.empty()) invalid(why);
  set_align(asked.problem, p.align);
  return asked;
}

Problem shape_of(const loratune_weights_source& source) {
  Problem shape;
  shape.dtype = dtype_of(source.dtype, Dtype::f32, "dtype");
  shape.m = 1;
  shape.k = source.k;
  shape.n = source.n;
  shape.rank = source.rank;
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw Refused(LORATUNE_INVALID_VALUE, "weights: " + why);
  const auto check = [&](const void* data, std::size_t bytes, std::int64_t elements,
                         const std::string& name) {
    required(data, name.c_str());
    const auto takes = static_cast<std::uint64_t>(elements * element_bytes(shape.dtype));
    if (bytes != takes) {
      throw Refused(LORATUNE_INVALID_OPERANDS, name + "_bytes = " + std::to_string(bytes) +
                                                   ", the factor takes " + std::to_string(takes));
    }
  };
  check(source.a, source.a_bytes, shape.rank * shape.k, "a");
  check(source.b, source.b_bytes, shape.n * shape.rank, "b");
  return shape;
}

loratune_problem to_c(const Problem& problem) {
  loratune_problem p{};
  p.size = sizeof p;
  p.dtype = to_c(problem.dtype);
  if (weights_dtype(problem) != problem.dtype) p.weights_dtype = to_c(weights_dtype(problem));
  p.overwrite = problem.accumulate ? 0 : 1;
  p.m = problem.m;
  p.k = problem.k;
  p.n = problem.n;
  p.rank = problem.rank;
  p.align = problem.align;
  p.adapters = problem.adapters;
  p.dora = problem.dora ? 1 : 0;
  p.slice_count = problem.slices.count;
  std::copy(problem.slices.columns.begin(), problem.slices.columns.end(), std::begin(p.slice_n));
  return p;
}

}  // namespace loratune::capi

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

extern "C" {

std::int32_t loratune_problem_parse(const char* key, loratune_problem* problem,
                                    loratune_text* detail) {
  return guarded(detail, [&] {
    constexpr std::size_t kLongest = 256;
    required(key, "key");
    const std::string_view text(key, strnlen(key, kLongest + 1));
    std::string why;
    const auto parsed = loratune::parse_problem(text, why);
    if (!parsed) throw Refused(LORATUNE_INVALID_VALUE, loratune::printable_line(why));
    return give_whole(to_c(*parsed), problem, "problem");
  });
}

std::int32_t loratune_problem_key(const loratune_problem* problem, loratune_text* key,
                                  loratune_text* detail) {
  return guarded(detail, [&] { return answer(key, to_string(asked(problem).problem), "key"); });
}

}  // extern "C"
