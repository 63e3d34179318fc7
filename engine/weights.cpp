// The packing caches of Weights.
#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "engine/internal/weights_shape.h"
#include "loratune/engine/engine.h"

namespace loratune {

std::string shape_reason(const Problem& weights, const Problem& problem) {
  if (weights.k == problem.k && weights.n == problem.n && weights.rank == problem.rank &&
      weights.dtype == problem.dtype) {
    return {};
  }
  return "the weights are of another shape, that of " + to_string(weights) + ", not of " +
         to_string(problem);
}

Weights::Weights(cl::Context context, const Problem& shape, const void* a, const void* b)
    : context_(std::move(context)), shape_(shape) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("weights: " + why);
  if (a == nullptr || b == nullptr) {
    throw std::invalid_argument(std::string("weights: ") + (a == nullptr ? "a" : "b") + " is null");
  }
  const auto copy = [&](const void* source, std::int64_t elements) {
    const auto* bytes = static_cast<const unsigned char*>(source);
    return Bytes(bytes, bytes + elements * element_bytes(shape.dtype));
  };
  dense_a_ = copy(a, shape.rank * shape.k);
  dense_b_ = copy(b, shape.n * shape.rank);
}

std::pair<cl::Buffer, cl::Buffer> Weights::buffers(const cl::CommandQueue& queue,
                                                   const LaunchPlan& plan) {
  if (plan.made_for.problem) {
    const std::string why = shape_reason(shape_, *plan.made_for.problem);
    if (!why.empty()) throw std::invalid_argument(why);
  }
  // Held while a layout is made too: whoever asks for the same one waits for it.
  const std::lock_guard<std::mutex> lock(*mutex_);
  const bool joined = joins_weights(plan);
  const auto found = std::find_if(forms_.begin(), forms_.end(), [&](const Form& form) {
    return form.a == plan.a && form.b == plan.b && form.joined == joined;
  });
  if (found != forms_.end()) return found->buffers;
  const auto upload = [&](const Bytes& bytes) {
    cl::Buffer buffer(context_, CL_MEM_READ_ONLY, bytes.size());
    queue.enqueueWriteBuffer(buffer, CL_TRUE, 0, bytes.size(), bytes.data());
    return buffer;
  };
  Bytes a = packed(plan.a, dense_a_, shape_.rank, shape_.k);
  const Bytes b = packed(plan.b, dense_b_, shape_.n, shape_.rank);
  std::pair<cl::Buffer, cl::Buffer> buffers;
  if (joined) {
    const std::int64_t bytes = element_bytes(packed_dtype(plan.a, shape_.dtype));
    a.resize(static_cast<std::size_t>(joined_off_b(plan.a, shape_) * bytes));
    a.insert(a.end(), b.begin(), b.end());
    buffers.first = upload(a);
  } else {
    buffers = {upload(a), upload(b)};
  }
  forms_.push_back({plan.a, plan.b, joined, buffers});
  return buffers;
}

void Weights::set(const cl::CommandQueue& queue, const LaunchPlan& plan, Operands& operands) {
  std::tie(operands.a, operands.b) = buffers(queue, plan);
  operands.weights_of = shape_;
}

Weights::Bytes Weights::packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
                               std::int64_t cols) const {
  const auto pack_bytes = [&](const auto* elements) {
    const auto result = pack(packing, rows, cols, elements);
    const auto* bytes = reinterpret_cast<const unsigned char*>(result.data());
    return Bytes(bytes, bytes + result.size() * sizeof(result[0]));
  };
  if (shape_.dtype == Dtype::f16) {
    const auto* halves = reinterpret_cast<const Imath::half*>(dense.data());
    if (!packing.as_f32) return pack_bytes(halves);
    return pack_bytes(std::vector<float>(halves, halves + rows * cols).data());
  }
  return pack_bytes(reinterpret_cast<const float*>(dense.data()));
}

}  // namespace loratune
