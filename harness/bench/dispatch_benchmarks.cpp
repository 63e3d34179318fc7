#include "harness/bench/dispatch_benchmarks.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "dispatch/internal/printable.h"
#include "engine/internal/opencl.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/packing.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

constexpr std::size_t kBatch = 64;

// Problems of distinct keys.
std::vector<Problem> problems_of(std::size_t count) {
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < count; ++i) {
    Problem problem;
    problem.rank = 8 << i % 4;
    problem.m = 1 + static_cast<std::int64_t>(i / 4 % 64);
    problem.k = problem.n = 256 + 64 * static_cast<std::int64_t>(i / 256);
    problems.push_back(problem);
  }
  return problems;
}

// A file with a record for each problem: the default of the variant that runs anywhere.
TunedFile file_of(const std::vector<Problem>& problems, const DeviceInfo& device) {
  TunedFile file;
  file.tool = {"lora-bench", "0", "0"};
  file.devices["d0"] = tuned_device(device);
  for (const Problem& problem : problems) {
    const Variant& variant = *fallback_choices(problem, device).back().variant;
    file.kernels[std::string(variant.name)] = {std::string(variant.source_sha256),
                                               variant.revision};
    Record record;
    record.device = "d0";
    record.problem = problem;
    record.variant = variant.name;
    record.config = named_config(variant.space, variant.default_config(problem, device));
    record.time_ns = record.default_ns = 1000;
    record.reason = "measured";
    file.records.push_back(std::move(record));
  }
  return file;
}

// A rule that holds all problems.
TunedFile rule_file(const DeviceInfo& device) {
  TunedFile file = file_of(problems_of(1), device);
  Rule rule;
  rule.device = "d0";
  rule.rank = {1, kMaxRank};
  rule.m = {0, kMaxExtent};
  rule.k = rule.n = {1, kMaxExtent};
  rule.variant = file.records[0].variant;
  rule.config = file.records[0].config;
  file.records.clear();
  file.rules = {rule};
  return file;
}

// Picks in batches, each of other problems, so that the table is not found in the cache.
void pick(benchmark::State& state, const Dispatcher& dispatcher, std::vector<Problem> problems,
          ShapeMatch expected) {
  std::shuffle(problems.begin(), problems.end(), std::minstd_rand(1));
  problems.resize((problems.size() + kBatch - 1) / kBatch * kBatch, problems.front());
  std::size_t at = 0;
  for (auto iteration : state) {
    static_cast<void>(iteration);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const Choice choice = dispatcher.pick(problems[at + i]);
      if (choice.shape_match != expected) return state.SkipWithError("another kind of pick");
      benchmark::DoNotOptimize(choice.variant);
    }
    at = at + 2 * kBatch > problems.size() ? 0 : at + kBatch;
  }
  state.counters["ns_per_pick"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(kBatch) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void load(benchmark::State& state, const std::string& bytes, const DeviceInfo& device) {
  for (auto iteration : state) {
    static_cast<void>(iteration);
    const Dispatcher::Loaded loaded = Dispatcher::load_bytes(bytes, device);
    if (!loaded.dispatcher) return state.SkipWithError(loaded.error.c_str());
  }
}

double seconds_of(const auto& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The one launch of a plan by OpenCL's own calls: its buffers, and its numbers in one struct, are
// set every time, as a runtime would.
class BareLaunch {
 public:
  BareLaunch(const Engine& engine, const LaunchPlan& plan, const Problem& problem,
             const Operands& operands)
      : program_(make_program(engine.context(), plan.source)),
        launch_(plan.launches.front()),
        operands_(operands) {
    build_program(program_.get(), engine.device(), build_options(plan));
    kernel_ = make_kernel(program_.get(), launch_.kernel);
    global_ = {launch_.global[0], launch_.global[1], launch_.global[2]};
    local_ = {launch_.local[0], launch_.local[1], launch_.local[2]};
    global_[0] = global_for(launch_, problem.m);
    for (const Arg& arg : launch_.args) {
      if (is_buffer(arg.role)) continue;
      if (arg.role == Role::scale) {
        add(operands.scale);
      } else if (arg.role >= Role::ld_x && arg.role <= Role::off_y) {
        add(static_cast<cl_long>(number(arg, plan, problem)));
      } else {
        add(static_cast<cl_int>(number(arg, plan, problem)));
      }
    }
    numbers_.resize((numbers_.size() + 7) / 8 * 8);
  }

  // Whether it can stand for the plan.
  static bool runs(const LaunchPlan& plan) {
    return plan.launches.size() == 1 && plan.launches[0].one_struct && !plan.launches[0].native &&
           plan.scratch.empty() &&
           std::none_of(plan.launches[0].args.begin(), plan.launches[0].args.end(),
                        [](const Arg& arg) { return arg.role == Role::local; });
  }

  void enqueue(cl_command_queue queue) const {
    cl_uint at = 0;
    bool numbers = false;
    for (const Arg& arg : launch_.args) {
      if (is_buffer(arg.role)) {
        set_argument(kernel_.get(), at++, buffer_of(arg.role));
      } else if (!std::exchange(numbers, true)) {
        require_success(clSetKernelArg(kernel_.get(), at++, numbers_.size(), numbers_.data()),
                        "clSetKernelArg");
      }
    }
    launch(queue, kernel_.get(), static_cast<cl_uint>(launch_.dims), global_, local_);
  }

 private:
  static bool is_buffer(Role role) {
    return role == Role::x || role == Role::y || role == Role::a || role == Role::b ||
           role == Role::weights;
  }
  cl_mem buffer_of(Role role) const {
    if (role == Role::x) return operands_.x;
    if (role == Role::y) return operands_.y;
    return role == Role::b ? operands_.b : operands_.a;
  }
  template <class T>
  void add(T value) {
    const std::size_t begin = (numbers_.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    numbers_.resize(begin + sizeof(T));
    std::memcpy(numbers_.data() + begin, &value, sizeof(T));
  }
  // Of dense rows at the beginning of the buffers.
  static std::int64_t number(const Arg& arg, const LaunchPlan& plan, const Problem& problem) {
    switch (arg.role) {
      case Role::m:
        return problem.m;
      case Role::k:
      case Role::ld_x:
        return problem.k;
      case Role::n:
      case Role::ld_y:
        return problem.n;
      case Role::rank:
        return problem.rank;
      case Role::ld_a:
        return packed_ld(plan.a, problem.rank, problem.k);
      case Role::ld_b:
        return packed_ld(plan.b, problem.n, problem.rank);
      case Role::off_b:
        return joins_weights(plan) ? joined_off_b(plan.a, problem) : 0;
      case Role::i32:
        return arg.value;
      default:
        return 0;
    }
  }

  Handle<cl_program> program_;
  Launch launch_;
  Operands operands_;
  Handle<cl_kernel> kernel_;
  Sizes global_{}, local_{};
  std::vector<unsigned char> numbers_;
};

void forward(benchmark::State& state, const Device& device) {
  Engine engine(device);
  const Handle<cl_command_queue> queue = make_queue(engine.context(), device.handle);
  Problem problem;
  problem.m = 1;
  problem.k = problem.n = 16;
  problem.rank = 1;
  const std::vector<float> ones(16, 1);
  Weights weights(engine.context(), problem, ones.data(), ones.data());
  const Handle<cl_mem> x = make_buffer(engine.context(), 64, ones.data());
  const Handle<cl_mem> y = make_buffer(engine.context(), 64, ones.data());
  Operands operands;
  operands.x = x.get();
  operands.y = y.get();
  operands.m = 1;
  // The last resort has one launch and no scratch.
  const Choice choice = fallback_choices(problem, engine.info()).back();
  const LaunchPlan plan = choice.variant->plan(problem, choice.config, engine.info());
  const Built built = engine.build(problem, plan);
  if (!built.executable) return state.SkipWithError(printable_line(built.detail).c_str());
  weights.set(queue.get(), plan, operands);
  if (!BareLaunch::runs(plan)) {
    return state.SkipWithError("the last resort is no plain launch");
  }
  const BareLaunch bare(engine, plan, problem, operands);
  constexpr int kRuns = 50;  // enqueued one behind another
  std::vector<double> over;
  for (auto iteration : state) {
    static_cast<void>(iteration);
    const double ours = seconds_of([&] {
      for (int i = 0; i < kRuns; ++i) {
        Operands call = operands;
        weights.set(queue.get(), plan, call);
        built.executable->enqueue(queue.get(), call, Sync{});
      }
    });
    finish(queue.get());
    const double theirs = seconds_of([&] {
      for (int i = 0; i < kRuns; ++i) bare.enqueue(queue.get());
    });
    finish(queue.get());
    over.push_back((ours - theirs) / kRuns);
    state.SetIterationTime(ours / kRuns);
  }
  state.counters["over_bare_ns"] = 1e9 * median(over);
}

}  // namespace

bool wants_dispatch_benchmarks(const std::vector<std::string>& flags) {
  return std::any_of(flags.begin(), flags.end(), [](const std::string& flag) {
    return flag.starts_with("--benchmark_filter=dispatch");
  });
}

void register_dispatch_benchmarks(const Device& device) {
  const auto add_pick = [&](const std::string& name, TunedFile file,
                            const std::vector<Problem>& problems, ShapeMatch expected) {
    const auto dispatcher = std::make_shared<const Dispatcher>(std::move(file), device.info);
    benchmark::RegisterBenchmark(("dispatch/pick/" + name).c_str(), [=](benchmark::State& state) {
      pick(state, *dispatcher, problems, expected);
    })->Unit(benchmark::kNanosecond);
  };
  for (const std::size_t records : {std::size_t{120}, std::size_t{100000}}) {
    const std::vector<Problem> problems = problems_of(records);
    add_pick("records:" + std::to_string(records), file_of(problems, device.info), problems,
             ShapeMatch::exact);
  }
  add_pick("rule", rule_file(device.info), problems_of(120), ShapeMatch::rule);
  add_pick("default", {}, problems_of(120), ShapeMatch::fallback);
  const std::string bytes = serialize(file_of(problems_of(10000), device.info));
  benchmark::RegisterBenchmark("dispatch/load/records:10000", [=](benchmark::State& state) {
    load(state, bytes, device.info);
  })->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("dispatch/forward",
                               [=](benchmark::State& state) { forward(state, device); })
      ->UseManualTime()
      ->Iterations(400)  // rounds
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace loratune
