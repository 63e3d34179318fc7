// The packing caches of Weights.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/weights_shape.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/packing.h"
#include "loratune/variants/slices.h"
#include "variants/internal/elements.h"

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

constexpr int kAllSlices = -1;

// In what layouts a plan wants the weights of all slices, or a part of a plan those of one.
struct Layouts {
  Packing a, b;
  bool joined;
  int slice;
  bool anywhere;  // in a buffer, so in an arena too
  bool operator==(const Layouts&) const = default;
};

// The weights in such layouts. Where they are joined, `b` is no place.
struct Form {
  Layouts layouts;
  Place a, b;
};

// The part of the caller's buffer that layouts stand in, and how much of it they take.
struct Arena {
  cl_mem buffer = nullptr;
  std::int64_t begin = 0, bytes = 0, used = 0;
};

void write(cl_command_queue queue, const Form& form, const Bytes& a, const Bytes& b) {
  write_buffer(queue, form.a.buffer, static_cast<std::size_t>(form.a.begin), a.size(), a.data());
  if (form.layouts.joined) return;
  write_buffer(queue, form.b.buffer, static_cast<std::size_t>(form.b.begin), b.size(), b.data());
}

std::int64_t whole_places(std::int64_t bytes) {
  return (bytes + kWeightsAlign - 1) / kWeightsAlign * kWeightsAlign;
}

}  // namespace

struct Weights::State {
  void copy(std::span<const Factors> modules);
  Bytes packed(const Packing& packing, const unsigned char* dense, std::int64_t rows,
               std::int64_t cols) const;
  // The bytes of a form: of A, or where it joins them of both, and of B.
  std::pair<Bytes, Bytes> images(const Layouts& layouts) const;
  Place place(std::int64_t bytes, bool in_arena, std::int64_t behind);
  const Form& form(cl_command_queue queue, const LaunchPlan& plan, int slice);
  void refuse_other_shape(const LaunchPlan& plan) const;

  Handle<cl_context> context;
  Problem shape;
  Bytes dense_a, dense_b;    // [slices * rank, k], [n, rank]
  std::vector<float> gains;  // [n], with DoRA
  std::array<float, kMaxSlices> scales{};
  std::optional<Arena> arena;
  std::mutex mutex;        // of all that is above but the shape, and of forms
  std::deque<Form> forms;  // whose addresses are given out
};

std::string shape_reason(const Problem& weights, const Problem& problem) {
  if (weights.k == problem.k && weights.n == problem.n && weights.rank == problem.rank &&
      weights_dtype(weights) == weights_dtype(problem) && weights.slices == problem.slices &&
      weights.dora == problem.dora) {
    return {};
  }
  return "the weights are of another shape, that of " + to_string(weights) + ", not of " +
         to_string(problem);
}

namespace {

// The modules whose factors stand one below the other.
std::vector<Factors> stacked(const Problem& shape, const void* a, const void* b) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("weights: " + why);
  const std::int64_t bytes = element_bytes(weights_dtype(shape));
  std::vector<Factors> modules;
  for (int i = 0; i < slice_count(shape); ++i) {
    const auto from = [&](const void* all, std::int64_t elements) -> const void* {
      return all == nullptr ? nullptr : static_cast<const unsigned char*>(all) + elements * bytes;
    };
    modules.push_back({from(a, i * shape.rank * shape.k),
                       from(b, columns_before(shape, i) * shape.rank), shape.rank, 1.0F, nullptr});
  }
  return modules;
}

std::string module_reason(const Problem& shape, const Factors& module) {
  if (module.a == nullptr || module.b == nullptr) {
    return std::string(module.a == nullptr ? "a" : "b") + " is null";
  }
  if (module.rank < 1 || module.rank > shape.rank) {
    return "rank " + std::to_string(module.rank) + " is outside 1.." + std::to_string(shape.rank);
  }
  if (shape.dora == (module.g != nullptr)) return {};
  return shape.dora ? "g is null" : "g is given, but the problem is without DoRA";
}

}  // namespace

Weights::Weights(cl_context context, const Problem& shape, const void* a, const void* b)
    : Weights(context, shape, stacked(shape, a, b)) {}

Weights::Weights(cl_context context, const Problem& shape, std::span<const Factors> modules) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("weights: " + why);
  state_ = std::make_unique<State>();
  state_->shape = shape;
  state_->copy(modules);
  state_->context = retain(context);
}

Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

void Weights::State::refuse_other_shape(const LaunchPlan& plan) const {
  if (!plan.made_for.problem) return;
  const std::string why = shape_reason(shape, *plan.made_for.problem);
  if (!why.empty()) throw std::invalid_argument(why);
}

// Under the mutex, which is held while a layout is made too: whoever asks for the same one waits.
const Form& Weights::State::form(cl_command_queue queue, const LaunchPlan& plan, int slice) {
  const Layouts layouts = {plan.a, plan.b, joins_weights(plan), slice, places_weights(plan)};
  const auto found = std::find_if(forms.begin(), forms.end(),
                                  [&](const Form& form) { return form.layouts == layouts; });
  if (found != forms.end()) return *found;
  const auto [a, b] = images(layouts);
  const auto size = [](const Bytes& bytes) { return static_cast<std::int64_t>(bytes.size()); };
  const bool in_arena = arena && layouts.anywhere;
  const std::int64_t taken = whole_places(size(a)) + whole_places(size(b));
  if (in_arena && taken > arena->bytes - arena->used) {
    throw std::invalid_argument(
        "weights: the arena is full: " + std::to_string(arena->bytes - arena->used) + " of its " +
        std::to_string(arena->bytes) + " bytes are left, the plan's layouts take " +
        std::to_string(taken));
  }
  Form made{layouts, place(size(a), in_arena, 0),
            layouts.joined ? Place{} : place(size(b), in_arena, whole_places(size(a)))};
  write(queue, made, a, b);
  forms.push_back(std::move(made));
  if (in_arena) arena->used += taken;  // and not where the write failed
  return forms.back();
}

// A buffer, or the place in the arena `behind` bytes of what is left of it.
Place Weights::State::place(std::int64_t bytes, bool in_arena, std::int64_t behind) {
  Place made;
  if (in_arena) {
    made.buffer = arena->buffer;
    made.begin = arena->begin + arena->used + behind;
  } else {
    made.own =
        make_buffer(context.get(), static_cast<std::size_t>(bytes), nullptr, CL_MEM_READ_ONLY);
    made.buffer = made.own.get();
  }
  return made;
}

std::pair<Bytes, Bytes> Weights::State::images(const Layouts& layouts) const {
  const bool all = layouts.slice == kAllSlices;
  const int first = all ? 0 : layouts.slice;
  const int end = all ? slice_count(shape) : first + 1;
  const Problem packed_problem = all ? shape : slice_problem(shape, first);
  const std::int64_t bytes = element_bytes(weights_dtype(shape));
  const std::int64_t packed_bytes = element_bytes(packed_dtype(layouts.b, weights_dtype(shape)));
  Bytes a, b;
  for (int i = first; i < end; ++i) {
    const auto add = [&](Bytes& to, const Packing& packing, const Bytes& dense, std::int64_t from,
                         std::int64_t rows, std::int64_t cols) {
      const Bytes part = packed(packing, dense.data() + from * cols * bytes, rows, cols);
      to.insert(to.end(), part.begin(), part.end());
    };
    add(a, layouts.a, dense_a, i * shape.rank, shape.rank, shape.k);
    add(b, layouts.b, dense_b, columns_before(shape, i), slice_columns(shape, i), shape.rank);
  }
  if (shape.dora) {
    b.resize(static_cast<std::size_t>(packed_b_size(layouts.b, packed_problem) * packed_bytes));
    for (int i = first; i < end; ++i) {
      const float* from = gains.data() + columns_before(shape, i);
      std::memcpy(b.data() + gains_before(layouts.b, packed_problem, i - first) * packed_bytes,
                  from, static_cast<std::size_t>(slice_columns(shape, i)) * sizeof(float));
    }
  }
  if (!layouts.joined) return {std::move(a), std::move(b)};
  const std::int64_t bytes_a = element_bytes(packed_dtype(layouts.a, weights_dtype(shape)));
  a.resize(static_cast<std::size_t>(joined_off_b(layouts.a, packed_problem) * bytes_a));
  a.insert(a.end(), b.begin(), b.end());
  return {std::move(a), Bytes()};
}

// What ranks have fewer of is zero.
void Weights::State::copy(std::span<const Factors> modules) {
  if (modules.size() != static_cast<std::size_t>(slice_count(shape))) {
    throw std::invalid_argument("weights: there are " + std::to_string(modules.size()) +
                                " modules, the problem has " + std::to_string(slice_count(shape)));
  }
  const auto bytes = static_cast<std::size_t>(element_bytes(weights_dtype(shape)));
  const auto rank = static_cast<std::size_t>(shape.rank);
  const auto k = static_cast<std::size_t>(shape.k);
  Bytes a(modules.size() * rank * k * bytes);
  Bytes b(static_cast<std::size_t>(shape.n) * rank * bytes);
  std::vector<float> g;
  std::array<float, kMaxSlices> own_scales{};
  unsigned char* row = b.data();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const Factors& module = modules[i];
    const std::string why = module_reason(shape, module);
    if (!why.empty()) {
      throw std::invalid_argument(
          "weights: " + (modules.size() > 1 ? "module " + std::to_string(i) + ": " : "") + why);
    }
    const auto own_rank = static_cast<std::size_t>(module.rank);
    const auto columns = static_cast<std::size_t>(slice_columns(shape, static_cast<int>(i)));
    std::memcpy(a.data() + i * rank * k * bytes, module.a, own_rank * k * bytes);
    const auto* from = static_cast<const unsigned char*>(module.b);
    for (std::size_t column = 0; column < columns; ++column) {
      std::memcpy(row, from + column * own_rank * bytes, own_rank * bytes);
      row += rank * bytes;
    }
    if (module.g != nullptr) g.insert(g.end(), module.g, module.g + columns);
    own_scales[i] = module.scale;
  }
  dense_a = std::move(a);
  dense_b = std::move(b);
  gains = std::move(g);
  scales = own_scales;
}

void Weights::update(cl_command_queue queue, const void* a, const void* b) {
  update(queue, stacked(state_->shape, a, b));
}

void Weights::update(cl_command_queue queue, std::span<const Factors> modules) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->copy(modules);
  for (const Form& form : state_->forms) {
    const auto [image_a, image_b] = state_->images(form.layouts);
    write(queue, form, image_a, image_b);
  }
}

void Weights::use_arena(cl_mem arena, std::int64_t begin, std::int64_t bytes) {
  const std::string unfit =
      arena == nullptr ? "" : unfit_reason(arena, state_->context.get(), Use::commands);
  if (!unfit.empty()) throw std::invalid_argument("weights: an arena: " + unfit);
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

std::int64_t packed_bytes(const Problem& shape, const LaunchPlan& plan) {
  const std::int64_t bytes_a = element_bytes(packed_dtype(plan.a, weights_dtype(shape)));
  const std::int64_t bytes_b = element_bytes(packed_dtype(plan.b, weights_dtype(shape)));
  return joined_off_b(plan.a, shape) * bytes_a +
         whole_places(packed_b_size(plan.b, shape) * bytes_b);
}

std::int64_t Weights::bytes_of(const LaunchPlan& plan) const {
  const Problem& shape = state_->shape;
  if (plan.parts.empty()) return places_weights(plan) ? packed_bytes(shape, plan) : 0;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    if (!places_weights(plan.parts[i])) continue;
    bytes += packed_bytes(slice_problem(shape, static_cast<int>(i)), plan.parts[i]);
  }
  return bytes;
}

std::pair<cl_mem, cl_mem> Weights::buffers(cl_command_queue queue, const LaunchPlan& plan) {
  state_->refuse_other_shape(plan);
  if (!plan.parts.empty()) throw std::invalid_argument("weights: a plan of parts has more buffers");
  const std::lock_guard<std::mutex> lock(state_->mutex);
  const Form& form = state_->form(queue, plan, kAllSlices);
  return {form.a.buffer, form.b.buffer};
}

void Weights::set(cl_command_queue queue, const LaunchPlan& plan, Operands& operands) {
  state_->refuse_other_shape(plan);
  const Dtype dtype = weights_dtype(state_->shape);
  // `to`: the operands, or those of a slice.
  const auto fill = [&](auto& to, const LaunchPlan& part, int slice) {
    const Form& form = state_->form(queue, part, slice);
    to.a = form.a.buffer;
    to.b = form.b.buffer;
    to.off_a = form.a.begin / element_bytes(packed_dtype(part.a, dtype));
    to.off_b = form.b.begin / element_bytes(packed_dtype(part.b, dtype));
  };
  operands.weights_of = state_->shape;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  for (std::size_t i = 0; i < kMaxSlices; ++i) {
    SliceOperands& slice = operands.slices[i];
    slice.scale = state_->scales[i];
    if (i < plan.parts.size()) fill(slice, plan.parts[i], static_cast<int>(i));
  }
  if (plan.parts.empty()) fill(operands, plan, kAllSlices);
}

Bytes Weights::State::packed(const Packing& packing, const unsigned char* dense, std::int64_t rows,
                             std::int64_t cols) const {
  const auto pack_bytes = [&](const auto* elements) {
    const auto result = pack(packing, rows, cols, elements);
    const auto* bytes = reinterpret_cast<const unsigned char*>(result.data());
    return Bytes(bytes, bytes + result.size() * sizeof(result[0]));
  };
  const Dtype dtype = weights_dtype(shape);
  if (dtype == Dtype::f32) return pack_bytes(reinterpret_cast<const float*>(dense));
  if (packing.as_f32) return pack_bytes(widened(dtype, dense, rows * cols).data());
  return pack_bytes(reinterpret_cast<const std::uint16_t*>(dense));
}

}  // namespace loratune
