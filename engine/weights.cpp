// The packing caches of Weights.
#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/weights_shape.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

using Bytes = std::vector<unsigned char>;

// Where one or both matrices stand, packed: in an arena, or at the beginning of a buffer of its
// own.
struct Place {
  cl_mem buffer = nullptr;
  std::int64_t begin = 0;  // in bytes
  Handle<cl_mem> own;
};

// The weights in the layouts of some plan. Where it joins them, `b` is no place.
struct Form {
  Packing packing_a, packing_b;
  bool joined;
  Place a, b;
};

// The part of the caller's buffer that layouts stand in, and how much of it they take.
struct Arena {
  cl_mem buffer = nullptr;
  std::int64_t begin = 0, bytes = 0, used = 0;
};

void write(cl_command_queue queue, const Form& form, const Bytes& a, const Bytes& b) {
  write_buffer(queue, form.a.buffer, static_cast<std::size_t>(form.a.begin), a.size(), a.data());
  if (form.joined) return;
  write_buffer(queue, form.b.buffer, static_cast<std::size_t>(form.b.begin), b.size(), b.data());
}

std::int64_t whole_places(std::int64_t bytes) {
  return (bytes + kWeightsAlign - 1) / kWeightsAlign * kWeightsAlign;
}

}  // namespace

struct Weights::State {
  void copy(const void* a, const void* b);
  Bytes packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
               std::int64_t cols) const;
  // The bytes of a form: of A, or where it joins them of both, and of B.
  std::pair<Bytes, Bytes> images(const Packing& a, const Packing& b, bool joined) const;
  Place place(std::int64_t bytes);
  const Form& form(cl_command_queue queue, const LaunchPlan& plan);

  Handle<cl_context> context;
  Problem shape;
  Bytes dense_a, dense_b;
  std::optional<Arena> arena;
  std::mutex mutex;        // of forms and the arena
  std::deque<Form> forms;  // whose addresses are given out
};

std::string shape_reason(const Problem& weights, const Problem& problem) {
  if (weights.k == problem.k && weights.n == problem.n && weights.rank == problem.rank &&
      weights.dtype == problem.dtype) {
    return {};
  }
  return "the weights are of another shape, that of " + to_string(weights) + ", not of " +
         to_string(problem);
}

Weights::Weights(cl_context context, const Problem& shape, const void* a, const void* b) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("weights: " + why);
  state_ = std::make_unique<State>();
  state_->shape = shape;
  state_->copy(a, b);
  state_->context = retain(context);
}

Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

// Held while a layout is made too: whoever asks for the same one waits for it.
const Form& Weights::State::form(cl_command_queue queue, const LaunchPlan& plan) {
  if (plan.made_for.problem) {
    const std::string why = shape_reason(shape, *plan.made_for.problem);
    if (!why.empty()) throw std::invalid_argument(why);
  }
  const bool joined = joins_weights(plan);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = std::find_if(forms.begin(), forms.end(), [&](const Form& form) {
    return form.packing_a == plan.a && form.packing_b == plan.b && form.joined == joined;
  });
  if (found != forms.end()) return *found;
  const auto [a, b] = images(plan.a, plan.b, joined);
  const auto size = [](const Bytes& bytes) { return static_cast<std::int64_t>(bytes.size()); };
  if (arena && whole_places(size(a)) + whole_places(size(b)) > arena->bytes - arena->used) {
    throw std::invalid_argument(
        "weights: the arena is full: " + std::to_string(arena->bytes - arena->used) + " of its " +
        std::to_string(arena->bytes) + " bytes are left, the plan's layouts take " +
        std::to_string(whole_places(size(a)) + whole_places(size(b))));
  }
  Form made{plan.a, plan.b, joined, place(size(a)), joined ? Place{} : place(size(b))};
  write(queue, made, a, b);
  forms.push_back(std::move(made));
  return forms.back();
}

// The next place in the arena, where there is one, else a buffer.
Place Weights::State::place(std::int64_t bytes) {
  Place made;
  if (arena) {
    made.buffer = arena->buffer;
    made.begin = arena->begin + arena->used;
    arena->used += whole_places(bytes);
  } else {
    made.own =
        make_buffer(context.get(), static_cast<std::size_t>(bytes), nullptr, CL_MEM_READ_ONLY);
    made.buffer = made.own.get();
  }
  return made;
}

std::pair<Bytes, Bytes> Weights::State::images(const Packing& packing_a, const Packing& packing_b,
                                               bool joined) const {
  Bytes a = packed(packing_a, dense_a, shape.rank, shape.k);
  Bytes b = packed(packing_b, dense_b, shape.n, shape.rank);
  if (!joined) return {std::move(a), std::move(b)};
  const std::int64_t bytes = element_bytes(packed_dtype(packing_a, shape.dtype));
  a.resize(static_cast<std::size_t>(joined_off_b(packing_a, shape) * bytes));
  a.insert(a.end(), b.begin(), b.end());
  return {std::move(a), Bytes()};
}

void Weights::State::copy(const void* a, const void* b) {
  if (a == nullptr || b == nullptr) {
    throw std::invalid_argument(std::string("weights: ") + (a == nullptr ? "a" : "b") + " is null");
  }
  const auto copied = [&](const void* source, std::int64_t elements) {
    const auto* bytes = static_cast<const unsigned char*>(source);
    return Bytes(bytes, bytes + elements * element_bytes(shape.dtype));
  };
  dense_a = copied(a, shape.rank * shape.k);
  dense_b = copied(b, shape.n * shape.rank);
}

void Weights::update(cl_command_queue queue, const void* a, const void* b) {
  state_->copy(a, b);
  const std::lock_guard<std::mutex> lock(state_->mutex);
  for (const Form& form : state_->forms) {
    const auto [image_a, image_b] = state_->images(form.packing_a, form.packing_b, form.joined);
    write(queue, form, image_a, image_b);
  }
}

void Weights::use_arena(cl_mem arena, std::int64_t begin, std::int64_t bytes) {
  const auto size = arena == nullptr ? 0 : static_cast<std::int64_t>(buffer_bytes(arena));
  if (begin < 0 || bytes < 0 || begin > size || bytes > size - begin) {
    throw std::invalid_argument("weights: an arena of " + std::to_string(bytes) + " bytes from " +
                                std::to_string(begin) + " on does not fit: its buffer holds " +
                                std::to_string(size));
  }
  const std::int64_t skipped = whole_places(begin) - begin;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->arena = Arena{arena, begin + skipped, std::max<std::int64_t>(bytes - skipped, 0), 0};
}

std::int64_t Weights::bytes_of(const LaunchPlan& plan) const {
  const Problem& shape = state_->shape;
  const std::int64_t bytes_a = element_bytes(packed_dtype(plan.a, shape.dtype));
  const std::int64_t b =
      packed_size(plan.b, shape.n, shape.rank) * element_bytes(packed_dtype(plan.b, shape.dtype));
  // Joined or not, B begins at the next multiple of kWeightsAlign.
  return joined_off_b(plan.a, shape) * bytes_a + whole_places(b);
}

std::pair<cl_mem, cl_mem> Weights::buffers(cl_command_queue queue, const LaunchPlan& plan) {
  const Form& form = state_->form(queue, plan);
  return {form.a.buffer, form.b.buffer};
}

void Weights::set(cl_command_queue queue, const LaunchPlan& plan, Operands& operands) {
  const Form& form = state_->form(queue, plan);
  const Dtype dtype = state_->shape.dtype;
  operands.a = form.a.buffer;
  operands.b = form.b.buffer;
  operands.off_a = form.a.begin / element_bytes(packed_dtype(plan.a, dtype));
  operands.off_b = form.b.begin / element_bytes(packed_dtype(plan.b, dtype));
  operands.weights_of = state_->shape;
}

Bytes Weights::State::packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
                             std::int64_t cols) const {
  const auto pack_bytes = [&](const auto* elements) {
    const auto result = pack(packing, rows, cols, elements);
    const auto* bytes = reinterpret_cast<const unsigned char*>(result.data());
    return Bytes(bytes, bytes + result.size() * sizeof(result[0]));
  };
  if (shape.dtype == Dtype::f16) {
    const auto* halves = reinterpret_cast<const Imath::half*>(dense.data());
    if (!packing.as_f32) return pack_bytes(halves);
    return pack_bytes(std::vector<float>(halves, halves + rows * cols).data());
  }
  return pack_bytes(reinterpret_cast<const float*>(dense.data()));
}

}  // namespace loratune
