// Runs of an Executable: operands are checked, set as arguments, and launched.
#include "engine/internal/executable.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <utility>

#include "engine/internal/native.h"
#include "engine/internal/operands.h"
#include "engine/internal/waits.h"
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
    const auto bytes = std::bit_cast<std::array<unsigned char, sizeof(T)>>(value);
    const bool changed = !known_ || !std::equal(bytes.begin(), bytes.end(), place);
    std::copy(bytes.begin(), bytes.end(), place);
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
    case Role::arena:
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
    case Role::block_count:
      return operands.route->blocks(arg.value);
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
      if (own_scratch) {
        set_argument(kernel.get(), at, scratch[static_cast<std::size_t>(arg.value)].get());
      }
      ++at;
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

void Executable::State::set_arguments(std::size_t launch, const Operands& operands,
                                      const ScratchParts& given) {
  BoundKernel& bound = kernels[launch];
  Numbers numbers(bound, plan.launches[launch].one_struct);
  const bool launch_is_native = plan.launches[launch].native;
  for (const Arg& arg : plan.launches[launch].args) {
    if (arg.role == Role::scratch && !own_scratch) {
      set_argument(bound.kernel.get(), numbers.next(),
                   given.buffers[static_cast<std::size_t>(arg.value)]);
    } else if (arg.role == Role::scratch || arg.role == Role::local) {
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

Executable::Executable(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executable::~Executable() = default;

const LaunchPlan& Executable::plan() const { return state_->plan; }
const Problem& Executable::problem() const { return state_->problem; }

std::int64_t Executable::scratch_bytes() const {
  const LaunchPlan& plan = state_->plan;
  std::int64_t most = 0;  // parts follow one another
  for (const auto& part : state_->parts) most = std::max(most, part->scratch_bytes());
  if (!state_->parts.empty()) return most;
  return state_->own_scratch ? 0 : scratch_begin(plan, plan.scratch.size());
}

ScratchParts Executable::State::scratch_of(const Operands& operands) const {
  ScratchParts given;
  if (own_scratch || plan.scratch.empty()) return given;
  if (plan.scratch.size() == 1 && operands.off_scratch == 0) {
    given.buffers[0] = operands.scratch;
    return given;
  }
  const Whole whole = whole_of(operands.scratch);  // a part has no parts
  for (std::size_t i = 0; i < plan.scratch.size(); ++i) {
    const auto begin = static_cast<std::size_t>(operands.off_scratch + scratch_begin(plan, i));
    given.made.push_back(part_of(whole.buffer, whole.begin + begin, plan.scratch[i].bytes));
    given.buffers[i] = given.made.back().get();
  }
  return given;
}

std::int64_t Executable::State::checked_rows(const Operands& operands) const {
  const std::string why = invalid_reason(problem, plan, operands, !own_scratch);
  if (!why.empty()) throw std::invalid_argument("operands: " + why);
  return rows_of(operands, problem);
}

template <class Add>
void Executable::State::zero_once(cl_command_queue queue, Add add) {
  if (!own_scratch || !dirty) return;
  for (std::size_t i = 0; i < plan.scratch.size(); ++i) {
    if (plan.scratch[i].zero != Zero::once) continue;
    add(
        [&](cl_event* event) {
          fill_buffer(queue, scratch[i].get(), cl_uchar{0}, plan.scratch[i].bytes, event);
        },
        false);
  }
  dirty = false;
}

template <class Begin, class Add>
void Executable::State::run(cl_command_queue queue, const Operands& operands, std::int64_t m,
                            Begin begin, Add add) {
  if (m == 0) return begin();
  const ScratchParts given = scratch_of(operands);
  for (std::size_t l = 0; l < kernels.size(); ++l) set_arguments(l, operands, given);
  zero_once(queue, add);
  begin();
  for (std::size_t i = 0; i < plan.scratch.size(); ++i) {
    const Scratch& one = plan.scratch[i];
    // What stands in the caller's scratch between the runs is anything.
    if (one.zero == Zero::each_run || (one.zero == Zero::once && !own_scratch)) {
      cl_mem buffer = own_scratch ? scratch[i].get() : given.buffers[i];
      add([&](cl_event* event) { fill_buffer(queue, buffer, cl_uchar{0}, one.bytes, event); },
          false);
    }
  }
  dirty = true;  // until every launch is under way
  std::unique_lock<std::mutex> alone;
  if (plan.needs_residency) alone = residency->enter(queue);
  for (std::size_t l = 0; l < plan.launches.size(); ++l) {
    const Launch& one = plan.launches[l];
    Sizes global = sizes(one.global);
    global[0] = items_for(one, m, problem.adapters > 0 ? operands.route : nullptr);
    if (global[0] == 0) continue;  // no row has an adapter
    add(
        [&](cl_event* event) {
          if (one.native) return enqueue_native(queue, kernels[l].numbers, operands, event);
          launch(queue, kernels[l].kernel.get(), static_cast<cl_uint>(one.dims), global,
                 sizes(one.local), event);
        },
        l + 1 == plan.launches.size());
  }
  dirty = false;
}

void Executable::State::enqueue_all(cl_command_queue queue, const Operands& operands,
                                    std::int64_t m, std::vector<Handle<cl_event>>* events) {
  if (m > 0 && !parts.empty()) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i]->state_->enqueue_all(queue, part_operands(operands, problem, static_cast<int>(i)), m,
                                    events);
    }
    return;
  }
  run(
      queue, operands, m, [] {},
      [&](auto&& command, bool) {
        if (events == nullptr) return command(nullptr);
        cl_event event = nullptr;
        command(&event);
        events->emplace_back(event);
      });
}

void Executable::enqueue(cl_command_queue queue, const Operands& operands,
                         std::vector<cl_event>* events) {
  std::vector<Handle<cl_event>> made;
  state_->enqueue_all(queue, operands, state_->checked_rows(operands),
                      events == nullptr ? nullptr : &made);
  if (events == nullptr) return;
  events->reserve(events->size() + made.size());
  for (Handle<cl_event>& event : made) events->push_back(event.release());
}

void Executable::State::enqueue_synced(cl_command_queue queue, const Operands& operands,
                                       std::int64_t m, const Sync& sync, bool hold) {
  const auto wait = [&] {
    if (!sync.waits.empty()) wait_for(queue, sync.waits, nullptr);
  };
  const auto add = [&](auto&& command, bool last) {
    if (last && sync.done != nullptr) return command(sync.done);
    if (!hold) return command(nullptr);
    cl_event event = nullptr;
    command(&event);
    hold_until_done(event);
  };
  if (m > 0 && !parts.empty()) {
    for (const auto& part : parts) part->state_->zero_once(queue, add);
    wait();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Sync of_part{{}, i + 1 == parts.size() ? sync.done : nullptr};
      parts[i]->state_->enqueue_synced(queue, part_operands(operands, problem, static_cast<int>(i)),
                                       m, of_part, hold);
    }
    return;
  }
  run(queue, operands, m, wait, add);
  // A run of no rows has no command whose event it could be.
  if (sync.done != nullptr && *sync.done == nullptr) {
    require_success(clEnqueueMarkerWithWaitList(queue, 0, nullptr, sync.done),
                    "clEnqueueMarkerWithWaitList");
  }
}

void Executable::enqueue(cl_command_queue queue, const Operands& operands, const Sync& sync) {
  if (sync.done != nullptr) *sync.done = nullptr;
  const std::int64_t m = state_->checked_rows(operands);
  state_->enqueue_synced(queue, operands, m, sync, !sync.waits.empty());
}

}  // namespace loratune
