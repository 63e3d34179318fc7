// Runs of an Executable: operands are checked, set as arguments, and launched.
#include "engine/internal/executable.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "engine/internal/native.h"
#include "engine/internal/operands.h"
#include "loratune/engine/route.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// A plan's sizes as OpenCL counts them.
Sizes sizes(const std::array<std::uint64_t, 3>& extents) {
  return {extents[0], extents[1], extents[2]};
}

// The numbers of one launch on their way to the kernel: one by one, or as one struct.
class Numbers {
 public:
  Numbers(BoundKernel& bound, bool one_struct)
      : bound_(bound), one_struct_(one_struct), known_(std::exchange(bound.known, false)) {}

  // The kernel's next argument.
  cl_uint next() { return next_++; }

  template <class T>
  void add(T value) {
    size_ = (size_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    align_ = std::max(align_, sizeof(T));
    unsigned char* const place = bound_.numbers.data() + size_;
    size_ += sizeof(T);
    const bool changed = !known_ || std::memcmp(place, &value, sizeof(T)) != 0;
    std::memcpy(place, &value, sizeof(T));
    if (!one_struct_) {
      const cl_uint at = next();
      if (changed) set_argument(bound_.kernel.get(), at, value);
      return;
    }
    if (size_ == sizeof(T)) at_ = next();
    changed_ = changed_ || changed;
  }

  void finish() {
    if (changed_) set_struct();
    bound_.known = true;
  }

 private:
  void set_struct() {
    if (bound_.kernel == nullptr) return;
    const std::size_t padded = (size_ + align_ - 1) / align_ * align_;
    cl_kernel kernel = bound_.kernel.get();
    cl_int code = clSetKernelArg(kernel, at_, padded, bound_.numbers.data());
    // Mesa's rusticl counts a struct without the padding at its end.
    if (code == CL_INVALID_ARG_SIZE && padded != size_) {
      code = clSetKernelArg(kernel, at_, size_, bound_.numbers.data());
    }
    require_success(code, "clSetKernelArg");
  }

  BoundKernel& bound_;
  bool one_struct_, known_;
  bool changed_ = false;
  cl_uint next_ = 0, at_ = 0;
  std::size_t size_ = 0, align_ = 1;
};

// The buffer that an argument stands for, or null.
cl_mem buffer_of(const Arg& arg, const Operands& operands, const Problem& problem) {
  switch (arg.role) {
    case Role::x:
      return operands.x;
    case Role::y:
      return output_of(operands, problem, static_cast<int>(arg.value)).buffer;
    case Role::a:
    case Role::weights:
      return operands.a;
    case Role::b:
      return operands.b;
    case Role::slots:
      return operands.slots;
    case Role::route:
      return operands.route->buffer();
    default:
      return nullptr;
  }
}

// Work-items along the first dimension for so many rows, or for those of the route.
std::size_t items_for(const Launch& launch, std::int64_t m, const Route* route) {
  const auto& [rows, groups] = launch.row_groups;
  if (route == nullptr || rows == 0) return global_for(launch, m);
  return static_cast<std::size_t>(route->blocks(rows) * groups) * launch.local[0];
}

bool is_long(Role role) {
  return (role >= Role::ld_x && role <= Role::off_y) || role == Role::off_g ||
         role == Role::ld_slot || role == Role::blocks;
}

}  // namespace

// The number of a role that stands for one, the scale apart.
std::int64_t Executable::State::number(const Arg& arg, const Operands& operands) const {
  const int slice = static_cast<int>(arg.value);  // where the role is one of a slice
  const std::int64_t first_b = joins ? operands.off_a + joined_off_b : operands.off_b;
  switch (arg.role) {
    case Role::m:
      return rows_of(operands, problem);
    case Role::k:
      return problem.k;
    case Role::n:
      return slice_columns(problem, slice);
    case Role::rank:
      return problem.rank;
    case Role::ld_x:
      return pitch_of(operands.ld_x, problem.k);
    case Role::ld_a:
      return packed_ld(plan.a, problem.rank, problem.k);
    case Role::ld_b:
      return packed_ld(plan.b, problem.n, problem.rank);
    case Role::ld_y:
      return output_of(operands, problem, slice).pitch;
    case Role::off_x:
      return operands.off_x;
    case Role::off_a:
      return operands.off_a + packed_a_before(plan.a, problem, slice);
    case Role::off_b:
      return first_b + packed_b_before(plan.b, problem, slice);
    case Role::off_g:
      return first_b + gains_before(plan.b, problem, slice);
    case Role::off_y:
      return output_of(operands, problem, slice).off;
    case Role::ld_slot:
      return operands.ld_slot;
    case Role::blocks:
      return operands.route->first_block(arg.value);
    default:
      return arg.value;
  }
}

BoundKernel Executable::State::bind_kernel(Handle<cl_kernel> kernel, const Launch& launch) const {
  cl_uint at = 0;
  std::size_t numbers = 0;
  for (const Arg& arg : launch.args) {
    if (is_number(arg)) {
      if (++numbers == 1 || !launch.one_struct) ++at;
    } else if (arg.role == Role::scratch) {
      set_argument(kernel.get(), at++, scratch[static_cast<std::size_t>(arg.value)].get());
    } else if (arg.role == Role::local) {
      require_success(
          clSetKernelArg(kernel.get(), at++, static_cast<std::size_t>(arg.value), nullptr),
          "clSetKernelArg");
    } else {
      ++at;
    }
  }
  return {std::move(kernel), std::vector<unsigned char>(numbers * sizeof(cl_long)), false};
}

void Executable::State::set_arguments(std::size_t launch, const Operands& operands) {
  BoundKernel& bound = kernels[launch];
  Numbers numbers(bound, plan.launches[launch].one_struct);
  const bool launch_is_native = plan.launches[launch].native;
  for (const Arg& arg : plan.launches[launch].args) {
    if (arg.role == Role::scratch || arg.role == Role::local) {
      numbers.next();
    } else if (!is_number(arg)) {
      const cl_uint at = numbers.next();
      if (!launch_is_native) {
        set_argument(bound.kernel.get(), at, buffer_of(arg, operands, problem));
      }
    } else if (arg.role == Role::scale) {
      numbers.add(scale_of(operands, static_cast<int>(arg.value)));
    } else if (is_long(arg.role)) {
      numbers.add(static_cast<cl_long>(number(arg, operands)));
    } else {
      numbers.add(static_cast<cl_int>(number(arg, operands)));
    }
  }
  numbers.finish();
}

void Executable::State::enqueue_parts(cl_command_queue queue, const Operands& operands,
                                      std::vector<cl_event>* events) {
  std::vector<cl_event> made;
  const auto release = [](std::vector<cl_event>* all) {
    for (const cl_event event : *all) Handle<cl_event>{event};
  };
  std::unique_ptr<std::vector<cl_event>, decltype(release)> unless_all(&made, release);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i]->enqueue(queue, part_operands(operands, problem, static_cast<int>(i)),
                      events == nullptr ? nullptr : &made);
  }
  unless_all.release();
  if (events != nullptr) events->insert(events->end(), made.begin(), made.end());
}

Executable::Executable(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executable::~Executable() = default;

const LaunchPlan& Executable::plan() const { return state_->plan; }
const Problem& Executable::problem() const { return state_->problem; }

void Executable::enqueue(cl_command_queue queue, const Operands& operands,
                         std::vector<cl_event>* events) {
  State& state = *state_;
  const std::string why = invalid_reason(state.problem, state.plan, operands);
  if (!why.empty()) throw std::invalid_argument("operands: " + why);
  const std::int64_t m = rows_of(operands, state.problem);
  if (m == 0) return;
  if (!state.parts.empty()) return state.enqueue_parts(queue, operands, events);
  for (std::size_t l = 0; l < state.kernels.size(); ++l) state.set_arguments(l, operands);
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
    Sizes global = sizes(launch.global);
    global[0] = items_for(launch, m, state.problem.adapters > 0 ? operands.route : nullptr);
    if (global[0] == 0) continue;  // no row has an adapter
    add([&](cl_event* event) {
      if (launch.native) {
        return enqueue_native(queue, state.kernels[l].numbers, operands, event);
      }
      loratune::launch(queue, state.kernels[l].kernel.get(), static_cast<cl_uint>(launch.dims),
                       global, sizes(launch.local), event);
    });
  }
  state.dirty = false;
  if (events == nullptr) return;
  events->reserve(events->size() + made.size());
  for (Handle<cl_event>& event : made) events->push_back(event.release());
}

}  // namespace loratune
