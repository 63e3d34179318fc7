#include "loratune/layers/device_forward.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/operands.h"

namespace loratune {

struct DeviceForward::State {
  using LayerKey = std::pair<const LoraLinear*, Dtype>;  // with the type of the weights

  Weights& weights_of(const LoraLinear& layer, const Problem& problem) {
    const auto [at, fresh] = weights.try_emplace({&layer, weights_dtype(problem)});
    if (fresh) {
      const Element element = element_of(weights_dtype(problem));
      const auto a = from_floats(element, layer.a);
      const auto b = from_floats(element, layer.b);
      at->second = std::make_unique<Weights>(engine.context(), problem, a.data(), b.data());
    }
    return *at->second;
  }

  Executable& executable_for(const Problem& problem) {
    const auto [at, fresh] = executables.try_emplace(to_string(problem));
    if (fresh) {
      const Choice choice = dispatcher.pick(problem, mode);
      Built built =
          engine.build(problem, choice.variant->plan(problem, choice.config, engine.info()));
      if (built.outcome != Outcome::correct) {
        executables.erase(at);
        if (built.transient) throw OpenclError(*built.transient);
        throw std::runtime_error(to_string(problem) + ": " + built.detail);
      }
      at->second = std::move(built.executable);
    }
    return *at->second;
  }

  Engine& engine;
  const Dispatcher& dispatcher;
  Mode mode;
  Handle<cl_command_queue> queue;
  std::map<LayerKey, std::unique_ptr<Weights>> weights;
  std::map<std::string, std::unique_ptr<Executable>> executables;  // by problem
};

DeviceForward::DeviceForward(Engine& engine, const Dispatcher& dispatcher, Mode mode)
    : state_(new State{
          engine, dispatcher, mode, make_queue(engine.context(), engine.device()), {}, {}}) {}
DeviceForward::~DeviceForward() = default;

void DeviceForward::forward(const LoraLinear& layer, const Types& types, std::int64_t m,
                            std::span<const float> x, std::span<float> y) {
  Problem problem;
  set_types(problem, types);
  problem.rank = static_cast<int>(layer.rank);
  problem.m = m;
  problem.k = layer.in;
  problem.n = layer.out;
  const std::string why = invalid_reason(problem);
  if (!why.empty()) throw std::invalid_argument(why);
  if (x.size() != static_cast<std::size_t>(m * layer.in) ||
      y.size() != static_cast<std::size_t>(m * layer.out)) {
    throw std::invalid_argument("x or y has not the size of m rows of the layer");
  }
  if (m == 0) return;
  Executable& executable = state_->executable_for(problem);
  Weights& weights = state_->weights_of(layer, problem);
  const Element element = element_of(types.data);
  const std::vector<std::byte> x_bytes = from_floats(element, x);
  std::vector<std::byte> y_bytes = from_floats(element, y);
  const cl_command_queue queue = state_->queue.get();
  const auto buffer_of = [&](const std::vector<std::byte>& bytes) {
    return make_buffer(state_->engine.context(), bytes.size(), bytes.data());
  };
  const Handle<cl_mem> x_buffer = buffer_of(x_bytes);
  const Handle<cl_mem> y_buffer = buffer_of(y_bytes);
  const Handle<cl_mem> scratch = scratch_for(executable, state_->engine.context());
  Operands operands;
  operands.x = x_buffer.get();
  operands.y = y_buffer.get();
  operands.scratch = scratch.get();
  operands.scale = static_cast<float>(layer.scale);
  weights.set(queue, executable.plan(), operands);
  executable.enqueue(queue, operands);
  read_buffer(queue, operands.y, 0, y_bytes.size(), y_bytes.data());
  const std::vector<float> result = to_floats(element, y_bytes);
  std::copy(result.begin(), result.end(), y.begin());
}

void DeviceForward::forget(const LoraLinear& layer) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16})
    state_->weights.erase({&layer, dtype});
}

}  // namespace loratune
