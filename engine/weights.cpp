// The packing caches of Weights.
#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "engine/internal/opencl.h"
#include "engine/internal/weights_shape.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/packing.h"
#include "variants/internal/elements.h"

namespace loratune {
namespace {

using Bytes = std::vector<unsigned char>;

// The weights in the layouts of some plan.
struct Form {
  Packing a, b;
  bool joined;
  Handle<cl_mem> buffer_a, buffer_b;
};

}  // namespace

struct Weights::State {
  Bytes packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
               std::int64_t cols) const;

  Handle<cl_context> context;
  Problem shape;
  Bytes dense_a, dense_b;
  std::mutex mutex;  // of forms
  std::vector<Form> forms;
};

std::string shape_reason(const Problem& weights, const Problem& problem) {
  if (weights.k == problem.k && weights.n == problem.n && weights.rank == problem.rank &&
      weights.slices == problem.slices && weights_dtype(weights) == weights_dtype(problem)) {
    return {};
  }
  return "the weights are of another shape, that of " + to_string(weights) + ", not of " +
         to_string(problem);
}

Weights::Weights(cl_context context, const Problem& shape, const void* a, const void* b) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("weights: " + why);
  if (a == nullptr || b == nullptr) {
    throw std::invalid_argument(std::string("weights: ") + (a == nullptr ? "a" : "b") + " is null");
  }
  const auto copy = [&](const void* source, std::int64_t elements) {
    const auto* bytes = static_cast<const unsigned char*>(source);
    return Bytes(bytes, bytes + elements * element_bytes(weights_dtype(shape)));
  };
  state_ = std::make_unique<State>();
  state_->context = retain(context);
  state_->shape = shape;
  state_->dense_a = copy(a, shape.rank * shape.k);
  state_->dense_b = copy(b, shape.n * shape.rank);
}

Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

std::pair<cl_mem, cl_mem> Weights::buffers(cl_command_queue queue, const LaunchPlan& plan) {
  if (plan.made_for.problem) {
    const std::string why = shape_reason(state_->shape, *plan.made_for.problem);
    if (!why.empty()) throw std::invalid_argument(why);
  }
  // Held while a layout is made too: whoever asks for the same one waits for it.
  const std::lock_guard<std::mutex> lock(state_->mutex);
  const Problem& shape = state_->shape;
  std::vector<Form>& forms = state_->forms;
  const bool joined = joins_weights(plan);
  const auto found = std::find_if(forms.begin(), forms.end(), [&](const Form& form) {
    return form.a == plan.a && form.b == plan.b && form.joined == joined;
  });
  if (found != forms.end()) return {found->buffer_a.get(), found->buffer_b.get()};
  const auto upload = [&](const Bytes& bytes) {
    auto buffer = make_buffer(state_->context.get(), bytes.size(), nullptr, CL_MEM_READ_ONLY);
    write_buffer(queue, buffer.get(), 0, bytes.size(), bytes.data());
    return buffer;
  };
  Bytes a = state_->packed(plan.a, state_->dense_a, shape.rank, shape.k);
  const Bytes b = state_->packed(plan.b, state_->dense_b, shape.n, shape.rank);
  Form form{plan.a, plan.b, joined, {}, {}};
  if (joined) {
    const std::int64_t bytes = element_bytes(packed_dtype(plan.a, weights_dtype(shape)));
    a.resize(static_cast<std::size_t>(joined_off_b(plan.a, shape) * bytes));
    a.insert(a.end(), b.begin(), b.end());
  } else {
    form.buffer_b = upload(b);
  }
  form.buffer_a = upload(a);
  forms.push_back(std::move(form));
  return {forms.back().buffer_a.get(), forms.back().buffer_b.get()};
}

void Weights::set(cl_command_queue queue, const LaunchPlan& plan, Operands& operands) {
  std::tie(operands.a, operands.b) = buffers(queue, plan);
  operands.weights_of = state_->shape;
}

Bytes Weights::State::packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
                             std::int64_t cols) const {
  const auto pack_bytes = [&](const auto* elements) {
    const auto result = pack(packing, rows, cols, elements);
    const auto* bytes = reinterpret_cast<const unsigned char*>(result.data());
    return Bytes(bytes, bytes + result.size() * sizeof(result[0]));
  };
  const Dtype dtype = weights_dtype(shape);
  if (dtype == Dtype::f32) return pack_bytes(reinterpret_cast<const float*>(dense.data()));
  if (packing.as_f32) return pack_bytes(widened(dtype, dense.data(), rows * cols).data());
  return pack_bytes(reinterpret_cast<const std::uint16_t*>(dense.data()));
}

}  // namespace loratune
