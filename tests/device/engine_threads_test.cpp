// Threads that share one engine, its weights and a dispatcher: each builds, packs, binds and runs,
// all at the same plans. Under ThreadSanitizer a cache without its lock is told for certain, else
// by a crash in most runs.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "test_engine.h"

namespace loratune {
namespace {

constexpr int kThreads = 8;
constexpr int kTurns = 6;

// m = k = n = 4, rank = 1, all ones: each element of y becomes 4 more with each run.
class Threads : public testing::Test {
 protected:
  // What went wrong in a thread's turns: its first complaint.
  std::string turns(int thread) {
    const Handle<cl_command_queue> queue = make_queue(engine_.context(), engine_.device());
    for (int turn = 0; turn < kTurns; ++turn) {
      // The threads begin at different variants, and come to the same ones.
      const Variant& variant =
          *variants()[static_cast<std::size_t>(thread + turn) % variants().size()];
      const Choice choice = dispatcher_.pick(problem_);
      const bool own = variant.supports(problem_, engine_.info());
      const Variant& used = own ? variant : *choice.variant;
      const Config config = own ? used.default_config(problem_, engine_.info()) : choice.config;
      const LaunchPlan plan = used.plan(problem_, config, engine_.info());
      const Built built = engine_.build(problem_, plan);
      if (!built.executable) return built.detail;
      const std::string wrong = run(*built.executable, queue.get());
      if (!wrong.empty()) return std::string(used.name) + ": " + wrong;
      if (dispatcher_.pick(problem_, Mode::batch_invariant).variant == nullptr ||
          dispatcher_.explain(problem_).empty() || dispatcher_.misses().size() != 1 ||
          !dispatcher_.skipped().empty()) {
        return "the dispatcher's answers";
      }
    }
    return {};
  }

  std::string run(Executable& executable, cl_command_queue queue) {
    const std::vector<float> ones(16, 1);
    std::vector<float> y(16, 0);
    const std::size_t bytes = y.size() * sizeof(float);
    const Handle<cl_mem> buffer_x = make_buffer(engine_.context(), bytes, ones.data());
    const Handle<cl_mem> buffer_y = make_buffer(engine_.context(), bytes, y.data());
    Operands operands;
    operands.x = buffer_x.get();
    operands.y = buffer_y.get();
    std::tie(operands.a, operands.b) = weights_.buffers(queue, executable.plan());
    const std::string why = invalid_reason(problem_, executable.plan(), operands);
    if (!why.empty()) return why;
    for (int run = 0; run < 2; ++run) executable.enqueue(queue, operands);
    read_buffer(queue, operands.y, 0, bytes, y.data());
    return y == std::vector<float>(16, 8) ? "" : "y[0] is " + std::to_string(y[0]) + ", not 8";
  }

  static Problem shape() {
    Problem shape;
    shape.m = shape.k = shape.n = 4;
    shape.rank = 1;
    return shape;
  }

  const Problem problem_ = shape();
  std::vector<float> values_ = std::vector<float>(16, 1);
  Engine engine_{test_device()};  // with empty caches
  Weights weights_{engine_.context(), problem_, values_.data(), values_.data()};
  Dispatcher dispatcher_{engine_.info()};
};

TEST_F(Threads, ShareAnEngineItsWeightsAndADispatcher) {
  std::vector<std::string> wrong(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { wrong[static_cast<std::size_t>(i)] = turns(i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& complaint : wrong) EXPECT_EQ(complaint, "");
}

// Threads that update the same weights, each with numbers of its own, and one that has them packed.
// After all, every layout holds the numbers of one of them, A and B together.
TEST_F(Threads, UpdateWeightsThatOthersHavePacked) {
  constexpr int kUpdates = 300;
  Problem shape = problem_;
  shape.m = 2;
  shape.k = shape.n = 256;
  shape.rank = 16;
  const DeviceInfo& device = engine_.info();
  std::vector<LaunchPlan> plans;
  for (const char* name : {"naive", "split", "tiled"}) {
    const Variant& variant = *find_variant(name);
    plans.push_back(variant.plan(shape, variant.default_config(shape, device), device));
  }
  std::vector<std::vector<float>> numbers;
  for (const float value : {1.0F, 2.0F, 3.0F}) numbers.emplace_back(256 * 16, value);
  Weights weights(engine_.context(), shape, numbers[0].data(), numbers[0].data());
  std::vector<std::thread> threads;
  for (const std::vector<float>& own : numbers) {
    threads.emplace_back([&] {
      const Handle<cl_command_queue> queue = make_queue(engine_.context(), engine_.device());
      for (int i = 0; i < kUpdates; ++i) weights.update(queue.get(), own.data(), own.data());
    });
  }
  threads.emplace_back([&] {
    const Handle<cl_command_queue> queue = make_queue(engine_.context(), engine_.device());
    for (const LaunchPlan& plan : plans) {
      Operands operands;
      weights.set(queue.get(), plan, operands);
      EXPECT_EQ(operands.slices[0].scale, 1.0F);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (std::thread& thread : threads) thread.join();
  const Handle<cl_command_queue> queue = make_queue(engine_.context(), engine_.device());
  float first = 0;
  for (const LaunchPlan& plan : plans) {
    Operands operands;
    weights.set(queue.get(), plan, operands);
    for (const cl_mem buffer : {operands.a, operands.b}) {
      if (buffer == nullptr) continue;
      std::vector<float> packed(buffer_bytes(buffer) / sizeof(float));
      read_buffer(queue.get(), buffer, 0, packed.size() * sizeof(float), packed.data());
      if (first == 0) first = packed[0];
      std::erase(packed, 0.0F);  // what pads
      EXPECT_EQ(packed, std::vector<float>(packed.size(), first));
      EXPECT_GE(packed.size(), 256U * 16U);
    }
  }
}

}  // namespace
}  // namespace loratune
