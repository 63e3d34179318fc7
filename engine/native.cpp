#include "engine/internal/native.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/internal/executable.h"
#include "engine/internal/waits.h"
#include "host/internal/host_state.h"

namespace loratune {
namespace {

// A call that is under way, whose addresses come one by one.
struct NativeCall {
  ForwardNumbers numbers;
  const std::byte* x;
  const std::byte* weights;
};

// Threads and memory are the process's, as its processors are: native kernels of all queues take
// turns.
struct HostTeam {
  explicit HostTeam(int threads) : session(threads) {}
  // One that is not under way.
  NativeCall* take() {
    const std::lock_guard<std::mutex> lock(calls_mutex);
    if (free_calls.empty()) {
      free_calls.reserve(calls.size() + 1);  // so that give_back() takes no memory
      return &calls.emplace_back();
    }
    NativeCall* const call = free_calls.back();
    free_calls.pop_back();
    return call;
  }
  void give_back(NativeCall* call) {
    const std::lock_guard<std::mutex> lock(calls_mutex);
    free_calls.push_back(call);
  }

  std::mutex mutex;  // of the session
  HostSession session;
  std::mutex calls_mutex;
  std::deque<NativeCall> calls;
  std::vector<NativeCall*> free_calls;
};

// Never destroyed: a queue may still run when the program ends.
HostTeam& team_of(int threads) {
  static auto& mutex = *new std::mutex;
  static auto& teams = *new std::map<int, std::unique_ptr<HostTeam>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<HostTeam>& team = teams[threads];
  if (team == nullptr) team = std::make_unique<HostTeam>(threads);
  return *team;
}

// What a native kernel is given: the driver copies it, and puts a buffer's address in. It is one
// buffer a command, since PoCL gives several in the order in which they were made, whatever the
// order of the command's list (seen with PoCL 3.1), and one that is listed twice only once.
struct NativeBuffer {
  HostTeam* team;
  NativeCall* call;
  std::byte* address;
  std::size_t begin;  // of the operand in the buffer
};

void CL_CALLBACK take_x(void* arguments) {
  const auto& buffer = *static_cast<const NativeBuffer*>(arguments);
  buffer.call->x = buffer.address + buffer.begin;
}

void CL_CALLBACK take_weights(void* arguments) {
  const auto& buffer = *static_cast<const NativeBuffer*>(arguments);
  buffer.call->weights = buffer.address + buffer.begin;
}

// With the address of y. Takes no memory: prepare_native() has.
void CL_CALLBACK run_forward(void* arguments) {
  const auto& y = *static_cast<const NativeBuffer*>(arguments);
  const NativeCall& call = *y.call;
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
  const HostOperands operands{call.x + numbers.off_x * element,
                              y.address + y.begin + numbers.off_y * element, numbers.ld_x,
                              numbers.ld_y, numbers.scale};
  {
    const std::lock_guard<std::mutex> alone(y.team->mutex);
    host::compute(problem, host::best_kernels(), *problem.weights, weights, operands,
                  y.team->session);
  }
  y.team->give_back(y.call);
}

void CL_CALLBACK release_buffer(cl_event, cl_int, void* buffer) {
  clReleaseMemObject(static_cast<cl_mem>(buffer));
}

// The driver holds a buffer while the command lasts that has it, and run_forward() reads x and the
// weights behind theirs. A buffer that cannot be let go of is kept: that is no fault in memory.
void keep_until(cl_event done, cl_mem buffer) {
  require_success(clRetainMemObject(buffer), "clRetainMemObject");
  require_success(clSetEventCallback(done, CL_COMPLETE, release_buffer, buffer),
                  "clSetEventCallback");
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
  std::string why = host::declined(problem);
  if (!why.empty()) return why;
  std::int64_t threads = 0;
  if (launch.kernel != "forward_host" || !takes_forward_numbers(problem, launch, threads)) {
    return "there is no native kernel " + launch.kernel + " with such arguments";
  }
  if (plan.a != host::packing_a(problem.rank) || plan.b != host::packing_b(problem.n)) {
    return "A or B are not packed as forward_host reads them";
  }
  try {
    HostTeam& team = team_of(static_cast<int>(threads));
    const std::lock_guard<std::mutex> alone(team.mutex);
    host::reserve(problem, {nullptr, nullptr, problem.k, problem.n, problem.rank}, team.session);
  } catch (const std::exception&) {
    return "there is too little memory for a native kernel's sums";
  }
  return {};
}

void enqueue_native(cl_command_queue queue, const std::vector<unsigned char>& numbers,
                    const Operands& operands, cl_event* event) {
  ForwardNumbers given{};
  std::memcpy(&given, numbers.data(), sizeof given);
  HostTeam& team = team_of(given.threads);
  NativeBuffer place{&team, team.take(), nullptr, 0};
  *place.call = {given, nullptr, nullptr};
  const void* const address = &place.address;
  const auto add = [&](void(CL_CALLBACK * function)(void*), const Whole& of, cl_event* done) {
    place.begin = of.begin;
    require_success(clEnqueueNativeKernel(queue, function, &place, sizeof place, 1, &of.buffer,
                                          const_cast<const void**>(&address), 0, nullptr, done),
                    "clEnqueueNativeKernel");
  };
  const Whole x = whole_of(operands.x);
  const Whole weights = whole_of(operands.a);
  const auto add_held = [&](void(CL_CALLBACK * function)(void*), const Whole& of) {
    cl_event taken = nullptr;
    add(function, of, event == nullptr ? nullptr : &taken);
    if (taken != nullptr) hold_until_done(taken);
  };
  add_held(take_x, x);
  add_held(take_weights, weights);
  cl_event done = nullptr;
  add(run_forward, whole_of(operands.y), &done);
  Handle<cl_event> owned(done);
  keep_until(done, x.buffer);
  keep_until(done, weights.buffer);
  if (event != nullptr) *event = owned.release();
}

}  // namespace loratune
