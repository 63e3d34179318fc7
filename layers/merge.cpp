#include "loratune/layers/merge.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/operands.h"
#include "loratune/engine/forward.h"

namespace loratune {
namespace {

// Numbers of the type that add up to a float.
std::int64_t pieces_of(Dtype dtype) {
  if (dtype == Dtype::f32) return 1;
  return dtype == Dtype::f16 ? 2 : 3;
}

// The power of two by which B is multiplied before a type of 16 bits holds its pieces: the largest
// number comes near 2^14, so that none is beyond f16, and what the type loses of small ones is far
// below what W can show.
int exponent_for(const std::vector<float>& b, Dtype dtype) {
  constexpr int kLargest = 14;
  float most = 0;
  for (const float value : b) {
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  }
  return dtype != Dtype::f32 && most > 0 ? kLargest - std::ilogb(most) : 0;
}

// B[out,rank], multiplied by 2^exponent, with its pieces side by side.
std::vector<float> in_pieces(const LoraLinear& layer, Dtype dtype, int exponent) {
  const auto rank = static_cast<std::size_t>(layer.rank);
  const auto pieces = static_cast<std::size_t>(pieces_of(dtype));
  std::vector<float> all(layer.b.size() * pieces);
  for (std::size_t i = 0; i < layer.b.size(); ++i) {
    float left = std::ldexp(layer.b[i], exponent);
    for (std::size_t p = 0; p < pieces; ++p) {
      const float piece = rounded(element_of(dtype), left);
      all[(i / rank * pieces + p) * rank + i % rank] = piece;
      left -= piece;
    }
  }
  return all;
}

// [rank, rank * pieces]: adds the pieces up.
std::vector<float> identities(std::size_t rank, std::size_t pieces) {
  std::vector<float> all(rank * rank * pieces);
  for (std::size_t j = 0; j < rank; ++j) {
    for (std::size_t p = 0; p < pieces; ++p) all[(j * pieces + p) * rank + j] = 1.0F;
  }
  return all;
}

// A^T[in,rank].
std::vector<float> transposed(const LoraLinear& layer) {
  const auto rank = static_cast<std::size_t>(layer.rank);
  const auto in = static_cast<std::size_t>(layer.in);
  std::vector<float> turned(rank * in);
  for (std::size_t j = 0; j < rank; ++j) {
    for (std::size_t i = 0; i < in; ++i) turned[i * rank + j] = layer.a[j * in + i];
  }
  return turned;
}

std::int64_t pitch_of(const WeightMatrix& w) { return w.ld == 0 ? w.in : w.ld; }

void refuse_what_does_not_fit(const WeightMatrix& w, cl_context context, Use use) {
  const std::string unfit = unfit_reason(w.buffer, context, use);
  if (!unfit.empty()) throw std::invalid_argument("merge: the weights: " + unfit);
  const auto size = static_cast<std::int64_t>(buffer_bytes(w.buffer)) / element_bytes(w.dtype);
  const bool fits = w.out >= 1 && w.in >= 1 && w.off >= 0 && pitch_of(w) >= w.in && w.off <= size &&
                    w.in <= size - w.off &&
                    (w.out == 1 || pitch_of(w) <= (size - w.off - w.in) / (w.out - 1));
  if (!fits) throw std::invalid_argument("merge: the weights do not fit their buffer");
}

// Whether two matrices of one extent, each of which fits its buffer, share bytes. Of each matrix
// the rows follow one another.
bool overlap(const Rows& a, const Rows& b, std::size_t row_bytes, std::size_t rows) {
  if (a.buffer != b.buffer) return false;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < rows && j < rows) {
    const std::size_t a_begin = a.begin + i * a.pitch;
    const std::size_t b_begin = b.begin + j * b.pitch;
    if (a_begin + row_bytes <= b_begin) {
      ++i;
    } else if (b_begin + row_bytes <= a_begin) {
      ++j;
    } else {
      return true;
    }
  }
  return false;
}

// Where the rows stand in the buffer that theirs is a part of, or in theirs. The pitch of one row
// means nothing, and may be any number.
Rows rows_of(const WeightMatrix& w) {
  const auto bytes = static_cast<std::size_t>(element_bytes(w.dtype));
  const Whole whole = whole_of(w.buffer);
  return {whole.buffer, whole.begin + static_cast<std::size_t>(w.off) * bytes,
          static_cast<std::size_t>(w.out == 1 ? w.in : pitch_of(w)) * bytes};
}

}  // namespace

struct Merge::State {
  Forward& forward_for(const Problem& problem) {
    std::unique_ptr<Forward>& forward = forwards[to_string(problem)];
    if (!forward) forward = std::make_unique<Forward>(engine, dispatcher, problem);
    return *forward;
  }

  Engine& engine;
  const Dispatcher& dispatcher;
  std::map<std::string, std::unique_ptr<Forward>> forwards = {};  // by problem
};

Merge::Merge(Engine& engine, const Dispatcher& dispatcher)
    : state_(new State{engine, dispatcher}) {}
Merge::~Merge() = default;

Problem Merge::problem_of(const LoraLinear& layer, Dtype dtype) {
  Problem problem;
  set_types(problem, {dtype, Dtype::f32});
  problem.m = layer.out;
  problem.k = layer.rank * pieces_of(dtype);
  problem.n = layer.in;
  problem.rank = static_cast<int>(layer.rank);
  return problem;
}

void Merge::merge(cl_command_queue queue, const LoraLinear& layer, const WeightMatrix& w,
                  double factor) {
  if (layer.in != w.in || layer.out != w.out) {
    throw std::invalid_argument("merge: the layer's extents are not those of the weights");
  }
  refuse_what_does_not_fit(w, state_->engine.context(), Use::kernels_write);
  const Problem problem = problem_of(layer, w.dtype);
  const std::string why = invalid_reason(problem);
  if (!why.empty()) throw std::invalid_argument("merge: " + why);
  const int exponent = exponent_for(layer.b, w.dtype);
  const std::vector<std::byte> x =
      from_floats(element_of(w.dtype), in_pieces(layer, w.dtype, exponent));
  Forward& forward = state_->forward_for(problem);
  std::string unbuilt;
  const Executable* const executable = forward.executable(problem.m, unbuilt);
  if (executable == nullptr) throw std::runtime_error(unbuilt);
  const std::vector<float> a = identities(static_cast<std::size_t>(layer.rank),
                                          static_cast<std::size_t>(pieces_of(w.dtype)));
  const std::vector<float> b = transposed(layer);
  Weights weights(state_->engine.context(), problem, a.data(), b.data());
  const Handle<cl_mem> x_buffer = make_buffer(state_->engine.context(), x.size(), x.data());
  const Handle<cl_mem> scratch = scratch_for(*executable, state_->engine.context());
  Operands operands;
  operands.x = x_buffer.get();
  operands.y = w.buffer;
  operands.off_y = w.off;
  operands.ld_y = pitch_of(w);
  operands.scratch = scratch.get();
  operands.scale = static_cast<float>(std::ldexp(factor * layer.scale, -exponent));
  const std::string refused = forward.enqueue(queue, weights, operands);
  if (!refused.empty()) throw std::invalid_argument("merge: " + refused);
  finish(queue);
}

void copy_weights(cl_command_queue queue, const WeightMatrix& from, const WeightMatrix& to) {
  if (from.out != to.out || from.in != to.in || from.dtype != to.dtype) {
    throw std::invalid_argument("merge: a copy has the extents and the type of the weights");
  }
  const cl_context context = context_of(queue);
  refuse_what_does_not_fit(from, context, Use::commands);
  refuse_what_does_not_fit(to, context, Use::commands);
  const std::size_t row_bytes =
      static_cast<std::size_t>(from.in) * static_cast<std::size_t>(element_bytes(from.dtype));
  const auto rows = static_cast<std::size_t>(from.out);
  const Rows source = rows_of(from);
  const Rows target = rows_of(to);
  if (overlap(source, target, row_bytes, rows)) {
    throw std::invalid_argument("merge: a copy does not overlap the weights");
  }
  copy_rows(queue, source, target, row_bytes, rows);
}

}  // namespace loratune
