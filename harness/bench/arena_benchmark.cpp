#include "harness/bench/arena_benchmark.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "dispatch/internal/printable.h"
#include "engine/internal/opencl.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/packing.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

constexpr int kLaunches = 64;
constexpr int kRounds = 40;
constexpr const char* kProblems[] = {"m1_k4096_n4096_r16_f16_acc",
                                     "m1_k4096_n4096+1024+1024_r16_f16_acc",
                                     "m1_k2048_n2048+2048+2048_r8_f32_acc"};

// Bytes of which any two or four are a small positive number of each type.
std::vector<unsigned char> small_numbers(std::size_t bytes) {
  std::vector<unsigned char> numbers(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    numbers[i] = static_cast<unsigned char>(0x28 + i * 37 % 13);
  }
  return numbers;
}

void one_buffer(benchmark::State& state, const Device& device, const Problem& problem) {
  Engine engine(device);
  const Handle<cl_command_queue> queue = make_queue(engine.context(), device.handle);
  const Choice choice = default_choice(problem, engine.info());
  const LaunchPlan plan = choice.variant->plan(problem, choice.config, engine.info());
  const LaunchPlan together = in_one_buffer(plan);
  if (!takes_arena(together)) {
    return state.SkipWithError("the default has no plan for one buffer");
  }
  const Built any = engine.build(problem, plan);
  const Built one = engine.build(problem, together);
  if (!any.executable || !one.executable) {
    return state.SkipWithError(printable_line(any.detail + one.detail).c_str());
  }

  const auto bytes_of = [](std::int64_t elements, Dtype dtype) {
    return static_cast<std::size_t>(elements) * static_cast<std::size_t>(element_bytes(dtype));
  };
  const Dtype stored = weights_dtype(problem);
  const std::vector<unsigned char> a =
      small_numbers(bytes_of(h_columns(problem) * problem.k, stored));
  const std::vector<unsigned char> b = small_numbers(bytes_of(problem.n * problem.rank, stored));
  Weights weights(engine.context(), problem, a.data(), b.data());
  // x, y and the weights, each at a multiple of 128 bytes.
  const std::int64_t off_y = whole_lines(problem.k, problem.dtype);
  const std::int64_t first = off_y + whole_lines(problem.n, problem.dtype);
  const std::int64_t begin = first * element_bytes(problem.dtype);
  const std::int64_t bytes = weights.bytes_of(together);
  const Handle<cl_mem> arena =
      make_buffer(engine.context(), static_cast<std::size_t>(begin + bytes));
  const std::vector<unsigned char> before = small_numbers(static_cast<std::size_t>(begin));
  weights.use_arena(arena.get(), begin, bytes);
  Operands operands;
  operands.x = operands.y = arena.get();
  operands.off_y = off_y;
  operands.m = problem.m;
  weights.set(queue.get(), together, operands);

  const auto seconds = [&](Executable& executable) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kLaunches; ++i) executable.enqueue(queue.get(), operands, Sync{});
    finish(queue.get());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Both sum in the same order.
  const auto results = [&](Executable& executable) {
    write_buffer(queue.get(), arena.get(), 0, before.size(), before.data());
    executable.enqueue(queue.get(), operands, Sync{});
    std::vector<unsigned char> after(before.size());
    read_buffer(queue.get(), arena.get(), 0, after.size(), after.data());
    return after;
  };
  const std::vector<unsigned char> expected = results(*any.executable);
  if (expected == before || results(*one.executable) != expected) {
    return state.SkipWithError("the plan for one buffer gives other results");
  }
  std::vector<double> ratios;
  for (auto iteration : state) {
    static_cast<void>(iteration);
    // Each goes first in every other round.
    double times[2] = {0, 0};
    for (const std::size_t turn : {ratios.size() % 2, 1 - ratios.size() % 2}) {
      times[turn] = seconds(turn == 0 ? *any.executable : *one.executable) / kLaunches;
    }
    ratios.push_back(times[1] / times[0]);
    state.SetIterationTime(times[1]);
  }
  state.counters["ratio"] = median(ratios);
}

}  // namespace

void register_arena_benchmarks(const Device& device) {
  for (const char* key : kProblems) {
    std::string why;
    const Problem problem = *parse_problem(key, why);
    benchmark::RegisterBenchmark(
        (std::string("dispatch/one_buffer/") + key).c_str(),
        [=](benchmark::State& state) { one_buffer(state, device, problem); })
        ->UseManualTime()
        ->Iterations(kRounds)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace loratune
