#include "loratune/engine/engine.h"

#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>

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

}  // namespace

Weights::Weights(cl::Context context, const Problem& shape, const void* a, const void* b)
    : context_(std::move(context)), shape_(shape) {
  const auto copy = [&](const void* source, std::int64_t elements) {
    const auto* bytes = static_cast<const unsigned char*>(source);
    return Bytes(bytes, bytes + elements * element_bytes(shape.dtype));
  };
  dense_a_ = copy(a, shape.rank * shape.k);
  dense_b_ = copy(b, shape.n * shape.rank);
}

std::pair<cl::Buffer, cl::Buffer> Weights::buffers(const cl::CommandQueue& queue,
                                                   const LaunchPlan& plan) {
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

namespace {

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

}  // namespace

// Sets those arguments that are not set to these operands yet.
void Executable::bind(const Operands& operands) {
  const bool fresh = !bound_;
  const Operands before = fresh ? Operands{} : *std::exchange(bound_, std::nullopt);
  for (std::size_t l = 0; l < kernels_.size(); ++l) {
    cl::Kernel& kernel = kernels_[l];
    Numbers numbers(kernel, plan_.launches[l].one_struct);
    for (const Arg& arg : plan_.launches[l].args) {
      // Of the operands, which may change; of the plan and the problem, which do not.
      const auto buffer = [&](cl::Buffer Operands::*member) {
        const cl_uint at = numbers.next();
        if (fresh || (operands.*member)() != (before.*member)()) {
          kernel.setArg(at, operands.*member);
        }
      };
      const auto stride = [&](std::int64_t Operands::*member) {
        numbers.add(static_cast<cl_long>(operands.*member),
                    fresh || operands.*member != before.*member);
      };
      const auto number = [&](std::int64_t value) {
        numbers.add(static_cast<cl_int>(value), fresh);
      };
      const auto wide = [&](std::int64_t value) {
        numbers.add(static_cast<cl_long>(value), fresh);
      };
      const auto fixed = [&](const auto&... value) {
        const cl_uint at = numbers.next();
        if (fresh) kernel.setArg(at, value...);
      };
      switch (arg.role) {
        case Role::x:
          buffer(&Operands::x);
          break;
        case Role::a:
        case Role::weights:
          buffer(&Operands::a);
          break;
        case Role::b:
          buffer(&Operands::b);
          break;
        case Role::y:
          buffer(&Operands::y);
          break;
        case Role::scale:
          numbers.add(operands.scale, fresh || operands.scale != before.scale);
          break;
        case Role::m:
          number(problem_.m);
          break;
        case Role::k:
          number(problem_.k);
          break;
        case Role::n:
          number(problem_.n);
          break;
        case Role::rank:
          number(problem_.rank);
          break;
        case Role::ld_x:
          stride(&Operands::ld_x);
          break;
        case Role::ld_a:
          wide(packed_ld(plan_.a, problem_.rank, problem_.k));
          break;
        case Role::ld_b:
          wide(packed_ld(plan_.b, problem_.n, problem_.rank));
          break;
        case Role::ld_y:
          stride(&Operands::ld_y);
          break;
        case Role::off_x:
          stride(&Operands::off_x);
          break;
        case Role::off_a:
          wide(0);
          break;
        case Role::off_b:
          wide(off_b_);
          break;
        case Role::off_y:
          stride(&Operands::off_y);
          break;
        case Role::scratch:
          fixed(scratch_.at(static_cast<std::size_t>(arg.value)));
          break;
        case Role::local:
          fixed(static_cast<std::size_t>(arg.value), nullptr);
          break;
        case Role::i32:
          number(arg.value);
          break;
      }
    }
    numbers.finish();
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
  bind(operands);
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

Built Engine::build(const Problem& problem, const LaunchPlan& plan) {
  auto executable = std::make_unique<Executable>();
  executable->plan_ = plan;
  executable->problem_ = problem;
  if (joins_weights(plan)) executable->off_b_ = joined_off_b(plan.a, problem);
  executable->residency_ = residency_;
  try {
    const std::string key = program_key(plan);
    auto found = programs_.find(key);
    if (found == programs_.end() && !plan.launches.empty()) {
      cl::Program program(context_, plan.source);
      try {
        program.build(device_.handle, build_options(plan).c_str());
      } catch (const cl::Error& error) {
        std::string log = describe(error);
        log += '\n' + program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device_.handle);
        return {nullptr, Outcome::compile, log};
      }
      found = programs_.emplace(key, std::move(program)).first;
    }
    for (const Launch& launch : plan.launches) {
      cl::Kernel kernel(found->second, launch.kernel.c_str());
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
