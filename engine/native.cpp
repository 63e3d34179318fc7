#include "engine/internal/native.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>

#include "engine/internal/executable.h"
#include "host/internal/host_state.h"

namespace loratune {
namespace {

// Threads and memory are the process's, as its processors are: native kernels of all queues take
// turns.
struct Pool {
  explicit Pool(int threads) : session(threads) {}
  std::mutex mutex;
  HostSession session;
};

// Never destroyed: a queue may still run when the program ends.
Pool& pool_of(int threads) {
  static auto& mutex = *new std::mutex;
  static auto& pools = *new std::map<int, std::unique_ptr<Pool>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Pool>& pool = pools[threads];
  if (pool == nullptr) pool = std::make_unique<Pool>(threads);
  return *pool;
}

// What a native kernel is given: the driver copies it, and puts the buffers' addresses in.
struct NativeCall {
  ForwardNumbers numbers;
  const std::byte* x;
  const std::byte* weights;
  std::byte* y;
  Pool* pool;
};

// Takes no memory: prepare_native() has.
void CL_CALLBACK run_forward(void* arguments) {
  const auto& call = *static_cast<const NativeCall*>(arguments);
  const ForwardNumbers& numbers = call.numbers;
  Problem problem;
  problem.dtype = static_cast<Dtype>(numbers.dtype);
  problem.weights = static_cast<Dtype>(numbers.weights_dtype);
  problem.accumulate = numbers.accumulate != 0;
  problem.m = numbers.m;
  problem.k = numbers.k;
  problem.n = numbers.n;
  problem.rank = numbers.rank;
  const std::int64_t element = element_bytes(problem.dtype);
  const std::int64_t packed = element_bytes(*problem.weights);
  const host::PackedView weights{call.weights + numbers.off_a * packed,
                                 call.weights + numbers.off_b * packed, problem.k, problem.n,
                                 problem.rank};
  const HostOperands operands{call.x + numbers.off_x * element, call.y + numbers.off_y * element,
                              numbers.ld_x, numbers.ld_y, numbers.scale};
  const std::lock_guard<std::mutex> alone(call.pool->mutex);
  host::compute(problem, host::best_kernels(), *problem.weights, weights, operands,
                call.pool->session);
}

// Whether the arguments are three buffers and the numbers of a ForwardNumbers, of which the last
// five are the problem's. The threads are set.
bool takes_forward_numbers(const Problem& problem, const Launch& launch, std::int64_t& threads) {
  constexpr std::size_t kBuffers = 3;
  constexpr std::size_t kNumbers = 15;
  const std::vector<Arg>& args = launch.args;
  if (!launch.one_struct || args.size() != kBuffers + kNumbers) return false;
  const bool buffers = args[0].role == Role::x && args[1].role == Role::weights &&
                       args[2].role == Role::y &&
                       std::all_of(args.begin() + kBuffers, args.end(), is_number);
  threads = args[14].value;
  return buffers && args[13].role == Role::rank && threads >= 1 && threads <= kMostHostThreads &&
         args[15].value == static_cast<int>(problem.dtype) &&
         args[16].value == static_cast<int>(weights_dtype(problem)) &&
         args[17].value == (problem.accumulate ? 1 : 0);
}

}  // namespace

std::string prepare_native(const Problem& problem, const LaunchPlan& plan, const Launch& launch,
                           const DeviceInfo& device) {
  if (!device.native_kernels) return "the device runs no native kernels";
  const std::string why = host::declined(problem);
  if (!why.empty()) return why;
  std::int64_t threads = 0;
  if (launch.kernel != "forward_host" || !takes_forward_numbers(problem, launch, threads)) {
    return "there is no native kernel " + launch.kernel + " with such arguments";
  }
  if (plan.a != host::packing_a(problem.rank) || plan.b != host::packing_b(problem.n)) {
    return "A or B are not packed as forward_host reads them";
  }
  try {
    Pool& pool = pool_of(static_cast<int>(threads));
    const std::lock_guard<std::mutex> alone(pool.mutex);
    host::reserve(problem, {nullptr, nullptr, problem.k, problem.n, problem.rank}, pool.session);
  } catch (const std::exception&) {
    return "there is too little memory for a native kernel's sums";
  }
  return {};
}

void enqueue_native(cl_command_queue queue, const std::vector<unsigned char>& numbers,
                    const Operands& operands, cl_event* event) {
  NativeCall call{};
  std::memcpy(&call.numbers, numbers.data(), sizeof call.numbers);
  call.pool = &pool_of(call.numbers.threads);
  const std::array<cl_mem, 3> buffers = {operands.x, operands.a, operands.y};
  std::array<const void*, 3> places = {&call.x, &call.weights, &call.y};
  require_success(clEnqueueNativeKernel(queue, run_forward, &call, sizeof call, buffers.size(),
                                        buffers.data(), places.data(), 0, nullptr, event),
                  "clEnqueueNativeKernel");
}

}  // namespace loratune
