// Runs of an Executable: operands are checked, set as arguments where they changed, and launched.
#include "engine/internal/executable.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "engine/internal/weights_shape.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// A plan's sizes as OpenCL counts them.
Sizes sizes(const std::array<std::uint64_t, 3>& extents) {
  return {extents[0], extents[1], extents[2]};
}

void set_local(cl_kernel kernel, cl_uint index, std::size_t bytes) {
  require_success(clSetKernelArg(kernel, index, bytes, nullptr), "clSetKernelArg");
}

// The numbers of one launch on their way to the kernel: one by one, or as one struct.
class Numbers {
 public:
  Numbers(cl_kernel kernel, bool one_struct) : kernel_(kernel), one_struct_(one_struct) {}

  // The kernel's next argument.
  cl_uint next() { return next_++; }

  // A number, with whether it differs from what is set.
  template <class T>
  void add(T value, bool changed) {
    if (!one_struct_) {
      const cl_uint at = next();
      if (changed) set_argument(kernel_, at, value);
      return;
    }
    if (size_ == 0) at_ = next();
    size_ = (size_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    align_ = std::max(align_, sizeof(T));
    std::memcpy(bytes_.data() + size_, &value, sizeof(T));
    size_ += sizeof(T);
    changed_ = changed_ || changed;
  }

  void finish() {
    if (!changed_) return;
    const std::size_t padded = (size_ + align_ - 1) / align_ * align_;
    cl_int code = clSetKernelArg(kernel_, at_, padded, bytes_.data());
    // Mesa's rusticl counts a struct without the padding at its end.
    if (code == CL_INVALID_ARG_SIZE && padded != size_) {
      code = clSetKernelArg(kernel_, at_, size_, bytes_.data());
    }
    require_success(code, "clSetKernelArg");
  }

 private:
  cl_kernel kernel_;
  bool one_struct_;
  bool changed_ = false;
  cl_uint next_ = 0, at_ = 0;
  std::size_t size_ = 0, align_ = 1;
  std::array<unsigned char, kMaxNumbers * sizeof(cl_long)> bytes_{};
};

// Where the operands hold the buffer that a role stands for, or null.
const cl_mem* buffer_of(Role role, const Operands& operands) {
  switch (role) {
    case Role::x:
      return &operands.x;
    case Role::y:
      return &operands.y;
    case Role::a:
    case Role::weights:
      return &operands.a;
    case Role::b:
      return &operands.b;
    default:
      return nullptr;
  }
}

std::int64_t pitch(std::int64_t ld, std::int64_t row) { return ld == 0 ? row : ld; }

std::int64_t size_of(cl_mem buffer) { return static_cast<std::int64_t>(buffer_bytes(buffer)); }

// Why rows of that length do not stand in the buffer at this offset and pitch, or nothing. Sums
// are not formed before it is known that they are no larger than the buffer: they could overflow.
std::string tensor_reason(const std::string& name, cl_mem buffer, Dtype dtype, std::int64_t off,
                          std::int64_t ld, std::int64_t rows, std::int64_t row) {
  if (rows == 0) return {};
  if (buffer == nullptr) return name + " has no buffer";
  if (off < 0) return "off_" + name + " is " + std::to_string(off) + ", before the buffer begins";
  if (ld != 0 && ld < row) {
    return "ld_" + name + " is " + std::to_string(ld) + ", a row of " + name + " has " +
           std::to_string(row) + " elements";
  }
  const std::int64_t size = size_of(buffer) / element_bytes(dtype);
  const bool fits = off <= size && row <= size - off &&
                    (rows == 1 || pitch(ld, row) <= (size - off - row) / (rows - 1));
  if (fits) return {};
  return name + " does not fit: " + std::to_string(rows) + " rows of " + std::to_string(row) +
         " elements at offset " + std::to_string(off) + " and pitch " +
         std::to_string(pitch(ld, row)) + ", its buffer holds " + std::to_string(size);
}

// Where nobody says whose they are, their size is all that tells weights of one shape, rank or type
// from those of another.
std::string weights_reason(const std::string& name, cl_mem buffer, std::int64_t bytes) {
  if (buffer == nullptr) return name + " has no buffer";
  if (size_of(buffer) == bytes) return {};
  return name + " has " + std::to_string(size_of(buffer)) + " bytes, the plan's layout takes " +
         std::to_string(bytes) + ": these are weights of another shape, type or layout";
}

// Only what differs from `before` is asked about: a call to the driver takes time, and a run of a
// cold cache comes with other weights each time.
std::string changed_reason(const Problem& problem, const LaunchPlan& plan, const Operands& now,
                           const Operands* before) {
  if (plan.launches.empty()) return {};
  std::string why;
  if (before == nullptr || now.x != before->x || now.off_x != before->off_x ||
      now.ld_x != before->ld_x) {
    why = tensor_reason("x", now.x, problem.dtype, now.off_x, now.ld_x, problem.m, problem.k);
  }
  if (why.empty() && (before == nullptr || now.y != before->y || now.off_y != before->off_y ||
                      now.ld_y != before->ld_y)) {
    why = tensor_reason("y", now.y, problem.dtype, now.off_y, now.ld_y, problem.m, problem.n);
  }
  if (why.empty() && now.weights_of) why = shape_reason(*now.weights_of, problem);
  const bool joined = joins_weights(plan);
  const std::int64_t bytes_b = packed_size(plan.b, problem.n, problem.rank) *
                               element_bytes(packed_dtype(plan.b, weights_dtype(problem)));
  if (why.empty() && (before == nullptr || now.a != before->a)) {
    const std::int64_t bytes = element_bytes(packed_dtype(plan.a, weights_dtype(problem)));
    why = joined ? weights_reason("a, which holds both matrices,", now.a,
                                  joined_off_b(plan.a, problem) * bytes + bytes_b)
                 : weights_reason("a", now.a, packed_size(plan.a, problem.rank, problem.k) * bytes);
  }
  if (why.empty() && !joined && (before == nullptr || now.b != before->b)) {
    why = weights_reason("b", now.b, bytes_b);
  }
  return why;
}

}  // namespace

std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands) {
  return changed_reason(problem, plan, operands, nullptr);
}

// The number of a role that stands for one, the scale apart.
std::int64_t Executable::State::number(const Arg& arg, const Operands& now) const {
  switch (arg.role) {
    case Role::m:
      return problem.m;
    case Role::k:
      return problem.k;
    case Role::n:
      return problem.n;
    case Role::rank:
      return problem.rank;
    case Role::ld_x:
      return pitch(now.ld_x, problem.k);
    case Role::ld_a:
      return packed_ld(plan.a, problem.rank, problem.k);
    case Role::ld_b:
      return packed_ld(plan.b, problem.n, problem.rank);
    case Role::ld_y:
      return pitch(now.ld_y, problem.n);
    case Role::off_x:
      return now.off_x;
    case Role::off_a:
      return 0;
    case Role::off_b:
      return off_b;
    case Role::off_y:
      return now.off_y;
    default:
      return arg.value;
  }
}

// Sets those arguments of a launch that differ from what they were set to before: from all, where
// `before` is null.
void Executable::State::set_arguments(std::size_t launch, const Operands& now,
                                      const Operands* before) {
  cl_kernel kernel = kernels[launch].get();
  Numbers numbers(kernel, plan.launches[launch].one_struct);
  for (const Arg& arg : plan.launches[launch].args) {
    if (const cl_mem* buffer = buffer_of(arg.role, now)) {
      const cl_uint at = numbers.next();
      if (before == nullptr || *buffer != *buffer_of(arg.role, *before)) {
        set_argument(kernel, at, *buffer);
      }
    } else if (arg.role == Role::scratch) {
      const cl_uint at = numbers.next();
      if (before == nullptr) {
        set_argument(kernel, at, scratch[static_cast<std::size_t>(arg.value)].get());
      }
    } else if (arg.role == Role::local) {
      const cl_uint at = numbers.next();
      if (before == nullptr) set_local(kernel, at, static_cast<std::size_t>(arg.value));
    } else if (arg.role == Role::scale) {
      numbers.add(now.scale, before == nullptr || now.scale != before->scale);
    } else {
      const std::int64_t value = number(arg, now);
      const bool changed = before == nullptr || value != number(arg, *before);
      if (arg.role >= Role::ld_x && arg.role <= Role::off_y) {
        numbers.add(static_cast<cl_long>(value), changed);
      } else {
        numbers.add(static_cast<cl_int>(value), changed);
      }
    }
  }
  numbers.finish();
}

// Makes the kernels' arguments those operands, once it is known that these fit.
void Executable::State::bind(const Operands& now) {
  if (bound && bound->operands == now) return;
  const std::string why = changed_reason(problem, plan, now, bound ? &bound->operands : nullptr);
  if (!why.empty()) throw std::invalid_argument("operands: " + why);
  Bound next{now, {retain(now.x), retain(now.y), retain(now.a), retain(now.b)}};
  // An error in between leaves arguments of both: then nothing counts as set.
  const std::optional<Bound> before = std::exchange(bound, std::nullopt);
  for (std::size_t l = 0; l < kernels.size(); ++l) {
    set_arguments(l, now, before ? &before->operands : nullptr);
  }
  bound = std::move(next);
}

std::unique_lock<std::mutex> Residency::enter(cl_command_queue queue) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (last_.get() == queue) return lock;
  if (last_) {
    cl_event done = nullptr;
    require_success(clEnqueueMarkerWithWaitList(last_.get(), 0, nullptr, &done),
                    "clEnqueueMarkerWithWaitList");
    const Handle<cl_event> owned(done);
    flush(last_.get());
    require_success(clEnqueueBarrierWithWaitList(queue, 1, &done, nullptr),
                    "clEnqueueBarrierWithWaitList");
  }
  last_ = retain(queue);
  return lock;
}

Executable::Executable(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executable::~Executable() = default;

const LaunchPlan& Executable::plan() const { return state_->plan; }

void Executable::enqueue(cl_command_queue queue, const Operands& operands,
                         std::vector<cl_event>* events) {
  State& state = *state_;
  state.bind(operands);
  std::vector<Handle<cl_event>> made;
  // Calls a function that enqueues a command and, where it gets a place for one, makes an event.
  const auto add = [&](auto&& command) {
    if (events == nullptr) return command(nullptr);
    cl_event event = nullptr;
    command(&event);
    made.emplace_back(event);
  };
  for (std::size_t i = 0; i < state.scratch.size(); ++i) {
    const Scratch& scratch = state.plan.scratch[i];
    if (scratch.zero == Zero::each_run || (scratch.zero == Zero::once && state.dirty)) {
      add([&](cl_event* event) {
        fill_buffer(queue, state.scratch[i].get(), cl_uchar{0}, scratch.bytes, event);
      });
    }
  }
  state.dirty = true;  // until every launch is under way
  std::unique_lock<std::mutex> alone;
  if (state.plan.needs_residency) alone = state.residency->enter(queue);
  for (std::size_t l = 0; l < state.plan.launches.size(); ++l) {
    const Launch& launch = state.plan.launches[l];
    const auto dims = static_cast<cl_uint>(launch.dims);
    add([&](cl_event* event) {
      loratune::launch(queue, state.kernels[l].get(), dims, sizes(launch.global),
                       sizes(launch.local), event);
    });
  }
  state.dirty = false;
  if (events == nullptr) return;
  events->reserve(events->size() + made.size());
  for (Handle<cl_event>& event : made) events->push_back(event.release());
}

}  // namespace loratune
