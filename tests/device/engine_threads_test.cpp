// Threads that share one engine, its weights and a dispatcher: each builds, packs, binds and runs,
// all at the same plans. Under ThreadSanitizer a cache without its lock is told for certain, else
// by a crash in most runs.
#include <gtest/gtest.h>

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

// m = k = n = 4, rank = 1, all ones: each element of y becomes 4.
class Threads : public testing::Test {
 protected:
  // What went wrong in a thread's turns: its first complaint.
  std::string turns(int thread) {
    const cl::CommandQueue queue = engine_.make_queue();
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
      std::vector<float> ones(16, 1);
      std::vector<float> y(16, 0);
      Operands operands;
      const auto buffer = [&](std::vector<float>& values) {
        return cl::Buffer(engine_.context(), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                          values.size() * sizeof(float), values.data());
      };
      operands.x = buffer(ones);
      operands.y = buffer(y);
      std::tie(operands.a, operands.b) = weights_.buffers(queue, plan);
      for (int run = 0; run < 2; ++run) built.executable->enqueue(queue, operands);
      queue.enqueueReadBuffer(operands.y, CL_TRUE, 0, y.size() * sizeof(float), y.data());
      if (y != std::vector<float>(16, 8)) return std::string(used.name) + ": wrong";
      if (dispatcher_.explain(problem_).empty() || dispatcher_.misses().size() > 1) {
        return "the dispatcher's answers";
      }
    }
    return {};
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

}  // namespace
}  // namespace loratune
