#include "loratune/engine/engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace loratune {
namespace {

constexpr std::ptrdiff_t kMaxNumbers = 32;  // of a struct

bool is_number(const Arg& arg) {
  return arg.role >= Role::scale && arg.role != Role::scratch && arg.role != Role::local &&
         arg.role != Role::weights;
}

// Why the plan is none for the problem, or nothing.
std::string plan_reason(const Problem& problem, const LaunchPlan& plan) {
  std::string why = invalid_reason(problem);
  if (!why.empty()) return why;
  const std::optional<Problem>& made_for = plan.made_for.problem;
  if (made_for && *made_for != problem) {
    return "it was made for " + to_string(*made_for) + ", not for " + to_string(problem);
  }
  return invalid_reason(plan);
}

// Why the built kernel cannot run the launch, or nothing.
std::string refusal(const cl::Kernel& kernel, const Launch& launch, const cl::Device& device,
                    const DeviceInfo& info) {
  const std::uint64_t size = launch.local[0] * launch.local[1] * launch.local[2];
  // A kernel that was compiled for just this size is good for it, whatever the general limit says:
  // rusticl reports 32 for every kernel.
  const auto compiled_for = kernel.getWorkGroupInfo<CL_KERNEL_COMPILE_WORK_GROUP_SIZE>(device);
  const std::size_t most = kernel.getWorkGroupInfo<CL_KERNEL_WORK_GROUP_SIZE>(device);
  if (size > most && !std::equal(launch.local.begin(), launch.local.end(), compiled_for.begin())) {
    return launch.kernel + ": work-group of " + std::to_string(size) +
           ", the built kernel allows " + std::to_string(most);
  }
  if (launch.one_struct &&
      std::count_if(launch.args.begin(), launch.args.end(), is_number) > kMaxNumbers) {
    return launch.kernel + ": more than " + std::to_string(kMaxNumbers) + " numbers in one struct";
  }
  std::uint64_t local = kernel.getWorkGroupInfo<CL_KERNEL_LOCAL_MEM_SIZE>(device);
  for (const Arg& arg : launch.args) {
    if (arg.role == Role::local) local += static_cast<std::uint64_t>(arg.value);
  }
  if (local > static_cast<std::uint64_t>(info.local_mem_bytes)) {
    return launch.kernel + ": " + std::to_string(local) +
           " bytes of local memory, the device has " + std::to_string(info.local_mem_bytes);
  }
  return {};
}

// The numbers of one launch on their way to the kernel: one by one, or as one struct.
class Numbers {
 public:
  Numbers(cl::Kernel& kernel, bool one_struct) : kernel_(kernel), one_struct_(one_struct) {}

  // The kernel's next argument.
  cl_uint next() { return next_++; }

  // A number, with whether it differs from what is set.
  template <class T>
  void add(T value, bool changed) {
    if (!one_struct_) {
      const cl_uint at = next();
      if (changed) kernel_.setArg(at, value);
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
    try {
      kernel_.setArg(at_, padded, bytes_.data());
    } catch (const cl::Error& error) {
      // Mesa's rusticl counts a struct without the padding at its end.
      if (error.err() != CL_INVALID_ARG_SIZE || padded == size_) throw;
      kernel_.setArg(at_, size_, bytes_.data());
    }
  }

 private:
  cl::Kernel& kernel_;
  bool one_struct_;
  bool changed_ = false;
  cl_uint next_ = 0, at_ = 0;
  std::size_t size_ = 0, align_ = 1;
  std::array<unsigned char, kMaxNumbers * sizeof(cl_long)> bytes_{};
};

// The buffer that a role stands for, or null.
const cl::Buffer* buffer_of(Role role, const Operands& operands) {
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

bool same(const Operands& one, const Operands& other) {
  return one.x() == other.x() && one.y() == other.y() && one.a() == other.a() &&
         one.b() == other.b() && one.off_x == other.off_x && one.ld_x == other.ld_x &&
         one.off_y == other.off_y && one.ld_y == other.ld_y && one.scale == other.scale;
}

std::int64_t pitch(std::int64_t ld, std::int64_t row) { return ld == 0 ? row : ld; }

std::int64_t size_of(const cl::Buffer& buffer) {
  return static_cast<std::int64_t>(buffer.getInfo<CL_MEM_SIZE>());
}

// Why rows of that length do not stand in the buffer at this offset and pitch, or nothing. Sums
// are not formed before it is known that they are no larger than the buffer: they could overflow.
std::string tensor_reason(const std::string& name, const cl::Buffer& buffer, Dtype dtype,
                          std::int64_t off, std::int64_t ld, std::int64_t rows, std::int64_t row) {
  if (rows == 0) return {};
  if (buffer() == nullptr) return name + " has no buffer";
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

// Their size is all that tells weights of one shape, rank or type from those of another.
std::string weights_reason(const std::string& name, const cl::Buffer& buffer, std::int64_t bytes) {
  if (buffer() == nullptr) return name + " has no buffer";
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
  if (before == nullptr || now.x() != before->x() || now.off_x != before->off_x ||
      now.ld_x != before->ld_x) {
    why = tensor_reason("x", now.x, problem.dtype, now.off_x, now.ld_x, problem.m, problem.k);
  }
  if (why.empty() && (before == nullptr || now.y() != before->y() || now.off_y != before->off_y ||
                      now.ld_y != before->ld_y)) {
    why = tensor_reason("y", now.y, problem.dtype, now.off_y, now.ld_y, problem.m, problem.n);
  }
  const bool joined = joins_weights(plan);
  const std::int64_t bytes_b = packed_size(plan.b, problem.n, problem.rank) *
                               element_bytes(packed_dtype(plan.b, problem.dtype));
  if (why.empty() && (before == nullptr || now.a() != before->a())) {
    const std::int64_t bytes = element_bytes(packed_dtype(plan.a, problem.dtype));
    why = joined ? weights_reason("a, which holds both matrices,", now.a,
                                  joined_off_b(plan.a, problem) * bytes + bytes_b)
                 : weights_reason("a", now.a, packed_size(plan.a, problem.rank, problem.k) * bytes);
  }
  if (why.empty() && !joined && (before == nullptr || now.b() != before->b())) {
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
std::int64_t Executable::number(const Arg& arg, const Operands& operands) const {
  switch (arg.role) {
    case Role::m:
      return problem_.m;
    case Role::k:
      return problem_.k;
    case Role::n:
      return problem_.n;
    case Role::rank:
      return problem_.rank;
    case Role::ld_x:
      return pitch(operands.ld_x, problem_.k);
    case Role::ld_a:
      return packed_ld(plan_.a, problem_.rank, problem_.k);
    case Role::ld_b:
      return packed_ld(plan_.b, problem_.n, problem_.rank);
    case Role::ld_y:
      return pitch(operands.ld_y, problem_.n);
    case Role::off_x:
      return operands.off_x;
    case Role::off_a:
      return 0;
    case Role::off_b:
      return off_b_;
    case Role::off_y:
      return operands.off_y;
    default:
      return arg.value;
  }
}

// Sets those arguments of a launch that differ from what they were set to before: from all, where
// `before` is null.
void Executable::set_arguments(std::size_t launch, const Operands& operands,
                               const Operands* before) {
  cl::Kernel& kernel = kernels_[launch];
  Numbers numbers(kernel, plan_.launches[launch].one_struct);
  for (const Arg& arg : plan_.launches[launch].args) {
    if (const cl::Buffer* buffer = buffer_of(arg.role, operands)) {
      const cl_uint at = numbers.next();
      if (before == nullptr || (*buffer)() != (*buffer_of(arg.role, *before))()) {
        kernel.setArg(at, *buffer);
      }
    } else if (arg.role == Role::scratch) {
      const cl_uint at = numbers.next();
      if (before == nullptr) kernel.setArg(at, scratch_[static_cast<std::size_t>(arg.value)]);
    } else if (arg.role == Role::local) {
      const cl_uint at = numbers.next();
      if (before == nullptr) kernel.setArg(at, static_cast<std::size_t>(arg.value), nullptr);
    } else if (arg.role == Role::scale) {
      numbers.add(operands.scale, before == nullptr || operands.scale != before->scale);
    } else {
      const std::int64_t value = number(arg, operands);
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
void Executable::bind(const Operands& operands) {
  if (bound_ && same(*bound_, operands)) return;
  const std::string why = changed_reason(problem_, plan_, operands, bound_ ? &*bound_ : nullptr);
  if (!why.empty()) throw std::invalid_argument("operands: " + why);
  // An error in between leaves arguments of both: then nothing counts as set.
  const std::optional<Operands> before = std::exchange(bound_, std::nullopt);
  for (std::size_t l = 0; l < kernels_.size(); ++l) {
    set_arguments(l, operands, before ? &*before : nullptr);
  }
  bound_ = operands;
}

std::unique_lock<std::mutex> Residency::enter(const cl::CommandQueue& queue) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (last_() != nullptr && last_() != queue()) {
    std::vector<cl::Event> done(1);
    last_.enqueueMarkerWithWaitList(nullptr, done.data());
    last_.flush();
    queue.enqueueBarrierWithWaitList(&done);
  }
  last_ = queue;
  return lock;
}

void Executable::enqueue(const cl::CommandQueue& queue, const Operands& operands,
                         std::vector<cl::Event>* events) {
  bind(operands);
  const auto event = [&]() -> cl::Event* {
    if (events == nullptr) return nullptr;
    events->emplace_back();
    return &events->back();
  };
  for (std::size_t i = 0; i < scratch_.size(); ++i) {
    const Zero zero = plan_.scratch[i].zero;
    if (zero == Zero::each_run || (zero == Zero::once && dirty_)) {
      queue.enqueueFillBuffer(scratch_[i], cl_uchar{0}, 0, plan_.scratch[i].bytes, nullptr,
                              event());
    }
  }
  dirty_ = true;  // until every launch is under way
  std::unique_lock<std::mutex> alone;
  if (plan_.needs_residency) alone = residency_->enter(queue);
  for (std::size_t l = 0; l < plan_.launches.size(); ++l) {
    const Launch& launch = plan_.launches[l];
    const auto range = [&](const std::array<std::uint64_t, 3>& sizes) {
      if (launch.dims == 1) return cl::NDRange(sizes[0]);
      if (launch.dims == 2) return cl::NDRange(sizes[0], sizes[1]);
      return cl::NDRange(sizes[0], sizes[1], sizes[2]);
    };
    queue.enqueueNDRangeKernel(kernels_[l], cl::NullRange, range(launch.global),
                               range(launch.local), nullptr, event());
  }
  dirty_ = false;
}

Engine::Engine(const Device& device) : device_(device), context_(device.handle) {}

cl::CommandQueue Engine::make_queue(bool profiling) const {
  return {context_, device_.handle,
          profiling ? CL_QUEUE_PROFILING_ENABLE : cl_command_queue_properties{0}};
}

// The plan's program, or null with the build log. Compiling takes long and holds no lock: others
// may find or build theirs meanwhile.
cl::Program Engine::program_of(const LaunchPlan& plan, std::string& log) {
  const std::string key = program_key(plan);
  if (plan.launches.empty()) return {};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = programs_.find(key);
    if (found != programs_.end()) return found->second;
  }
  cl::Program program(context_, plan.source);
  try {
    program.build(device_.handle, build_options(plan).c_str());
  } catch (const cl::Error& error) {
    log = describe(error) + '\n' + program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device_.handle);
    return {};
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  return programs_.try_emplace(key, std::move(program)).first->second;
}

Built Engine::build(const Problem& problem, const LaunchPlan& plan) {
  const std::string wrong = plan_reason(problem, plan);
  if (!wrong.empty()) return {nullptr, Outcome::compile, "plan: " + wrong};
  auto executable = std::make_unique<Executable>();
  executable->plan_ = plan;
  executable->problem_ = problem;
  if (joins_weights(plan)) executable->off_b_ = joined_off_b(plan.a, problem);
  executable->residency_ = residency_;
  try {
    std::string log;
    const cl::Program program = program_of(plan, log);
    if (!log.empty()) return {nullptr, Outcome::compile, log};
    for (const Launch& launch : plan.launches) {
      // A kernel of its own, though the program is shared: arguments belong to the kernel.
      cl::Kernel kernel(program, launch.kernel.c_str());
      std::string why = refusal(kernel, launch, device_.handle, device_.info);
      if (!why.empty()) return {nullptr, Outcome::constraints, std::move(why)};
      executable->kernels_.push_back(std::move(kernel));
    }
    for (const Scratch& scratch : plan.scratch) {
      executable->scratch_.emplace_back(context_, CL_MEM_READ_WRITE, scratch.bytes);
    }
  } catch (const cl::Error& error) {
    return {nullptr, Outcome::runtime, describe(error)};
  } catch (const std::invalid_argument& error) {
    return {nullptr, Outcome::compile, error.what()};
  }
  return {std::move(executable), Outcome::correct, {}};
}

}  // namespace loratune
