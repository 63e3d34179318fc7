#include "loratune/engine/engine.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "engine/internal/executable.h"
#include "engine/internal/native.h"
#include "engine/internal/programs.h"
#include "loratune/variants/packing.h"
#include "loratune/variants/slices.h"

namespace loratune {
namespace {

template <class T>
T work_group_info(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what) {
  T value{};
  require_success(clGetKernelWorkGroupInfo(kernel, device, what, sizeof(value), &value, nullptr),
                  "clGetKernelWorkGroupInfo");
  return value;
}

// Why the plan is none for the problem, or nothing.
std::string plan_reason(const Problem& problem, const LaunchPlan& plan) {
  std::string why = invalid_reason(problem);
  if (!why.empty()) return why;
  const std::optional<Problem>& made_for = plan.made_for.problem;
  if (made_for && *made_for != problem) {
    return "it was made for " + to_string(*made_for) + ", not for " + to_string(problem);
  }
  why = invalid_reason(plan);
  if (!why.empty()) return why;
  if (!plan.parts.empty() && std::cmp_not_equal(plan.parts.size(), slice_count(problem))) {
    return "it has " + std::to_string(plan.parts.size()) + " parts, the problem " +
           std::to_string(slice_count(problem)) + " slices";
  }
  for (const Launch& launch : plan.launches) {
    for (const Arg& arg : launch.args) {
      if (is_of_slice(arg.role) && (arg.value < 0 || arg.value >= slice_count(problem))) {
        return launch.kernel + " takes what slice " + std::to_string(arg.value) + " of " +
               std::to_string(slice_count(problem)) + " has";
      }
    }
  }
  return {};
}

// Why the built kernel cannot run the launch, or nothing.
std::string refusal(cl_kernel kernel, const Launch& launch, cl_device_id device,
                    const DeviceInfo& info) {
  const std::uint64_t size = launch.local[0] * launch.local[1] * launch.local[2];
  // A kernel that was compiled for just this size is good for it, whatever the general limit says:
  // rusticl reports 32 for every kernel.
  const auto compiled_for =
      work_group_info<Sizes>(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE);
  const auto most = work_group_info<std::size_t>(kernel, device, CL_KERNEL_WORK_GROUP_SIZE);
  if (size > most && !std::equal(launch.local.begin(), launch.local.end(), compiled_for.begin())) {
    return launch.kernel + ": work-group of " + std::to_string(size) +
           ", the built kernel allows " + std::to_string(most);
  }
  if (launch.one_struct &&
      std::count_if(launch.args.begin(), launch.args.end(), is_number) > kMaxNumbers) {
    return launch.kernel + ": more than " + std::to_string(kMaxNumbers) + " numbers in one struct";
  }
  std::uint64_t local = work_group_info<cl_ulong>(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE);
  for (const Arg& arg : launch.args) {
    if (arg.role == Role::local) local += static_cast<std::uint64_t>(arg.value);
  }
  if (local > static_cast<std::uint64_t>(info.local_mem_bytes)) {
    return launch.kernel + ": " + std::to_string(local) +
           " bytes of local memory, the device has " + std::to_string(info.local_mem_bytes);
  }
  return {};
}

// Whether a call failed for want of memory, which a later one may get. A kernel that takes too much
// of the device may be out of resources as well.
bool lacks_memory(std::int32_t code, bool makes_buffers) {
  return code == CL_OUT_OF_HOST_MEMORY ||
         (makes_buffers &&
          (code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES));
}

}  // namespace

struct Engine::State {
  cl_program program_of(const LaunchPlan& plan, std::string& log);

  Handle<cl_context> context;
  Device device;
  EngineOptions options;
  std::unique_ptr<Programs> programs;
  std::shared_ptr<Residency> residency;  // the device's
};

Engine::Engine(const Device& device) : state_(std::make_unique<State>()) {
  state_->context = make_context(device.handle);
  state_->device = device;
  state_->programs = std::make_unique<Programs>(context(), device, state_->options);
  state_->residency = Residency::of(device.handle);
}

Engine::Engine(cl_context context, cl_device_id device, const EngineOptions& options)
    : state_(std::make_unique<State>()) {
  const std::vector<cl_device_id> devices = devices_of(context);
  if (std::find(devices.begin(), devices.end(), device) == devices.end()) {
    throw std::invalid_argument("engine: the device is none of the context's");
  }
  state_->context = retain(context);
  state_->device = {device, query_device(device)};
  state_->options = options;
  state_->programs = std::make_unique<Programs>(context, state_->device, options);
  state_->residency = Residency::of(device);
}

Engine::~Engine() { state_->residency->leave(context()); }

cl_context Engine::context() const { return state_->context.get(); }
cl_device_id Engine::device() const { return state_->device.handle; }
const DeviceInfo& Engine::info() const { return state_->device.info; }

cl_program Engine::State::program_of(const LaunchPlan& plan, std::string& log) {
  const bool native = std::all_of(plan.launches.begin(), plan.launches.end(),
                                  [](const Launch& launch) { return launch.native; });
  return native ? nullptr : programs->get(plan, log);  // else there is nothing to compile
}

Built Engine::build(const Problem& problem, const LaunchPlan& plan) {
  const std::string wrong = plan_reason(problem, plan);
  if (!wrong.empty()) return {nullptr, Outcome::compile, "plan: " + wrong};
  auto state = std::make_unique<Executable::State>();
  state->plan = plan;
  state->problem = problem;
  state->joins = joins_weights(plan);
  state->joined_off_b = joined_off_b(plan.a, problem);
  state->residency = state_->residency;
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    Built part = build(slice_problem(problem, static_cast<int>(i)), plan.parts[i]);
    if (!part.executable) return part;
    state->parts.push_back(std::move(part.executable));
  }
  const Device& device = state_->device;
  bool makes_buffers = false;
  try {
    std::string log;
    cl_program program = state_->program_of(plan, log);
    if (!log.empty()) return {nullptr, Outcome::compile, log};
    state->own_scratch = !state_->options.caller_scratch;
    if (!state->own_scratch && plan.scratch.size() > kMostParts) {
      return {nullptr, Outcome::constraints,
              "more scratch buffers than one of the caller's can hold"};
    }
    makes_buffers = true;
    for (const Scratch& scratch : plan.scratch) {
      if (state->own_scratch) state->scratch.push_back(make_buffer(context(), scratch.bytes));
    }
    makes_buffers = false;
    for (const Launch& launch : plan.launches) {
      if (launch.native) {
        std::string why = prepare_native(problem, plan, launch, device.info);
        if (!why.empty()) return {nullptr, Outcome::constraints, std::move(why)};
        state->kernels.push_back(state->bind_kernel(nullptr, launch));
        continue;
      }
      // A kernel of its own, though the program is shared: arguments belong to the kernel.
      Handle<cl_kernel> kernel = make_kernel(program, launch.kernel);
      std::string why = refusal(kernel.get(), launch, device.handle, device.info);
      if (!why.empty()) return {nullptr, Outcome::constraints, std::move(why)};
      state->kernels.push_back(state->bind_kernel(std::move(kernel), launch));
    }
  } catch (const OpenclError& error) {
    const bool transient = lacks_memory(error.code(), makes_buffers);
    return {nullptr, Outcome::runtime, error.what(),
            transient ? std::optional(error) : std::nullopt};
  } catch (const std::invalid_argument& error) {
    return {nullptr, Outcome::compile, error.what()};
  }
  return {std::make_unique<Executable>(std::move(state)), Outcome::correct, {}};
}

}  // namespace loratune
