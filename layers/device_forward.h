// A DeviceForward runs LoRA layers through the engine, with the kernels that a dispatcher picks. It
// builds a kernel and packs a layer's weights when they are first needed, and keeps both.
//
// Threads: a DeviceForward belongs to one thread at a time; several may share an engine and a
// dispatcher.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "loratune/adapters/lora_linear.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"

namespace loratune {

// The engine and the dispatcher outlive it.
class DeviceForward {
 public:
  // Kernels are picked for `mode`. Throws OpenclError.
  DeviceForward(Engine& engine, const Dispatcher& dispatcher, Mode mode = Mode::fast);
  DeviceForward(const DeviceForward&) = delete;
  DeviceForward& operator=(const DeviceForward&) = delete;
  ~DeviceForward();

  // y[m,out] += scale * (x[m,in] A^T) B^T, as forward_host(), with data of the host: float, or
  // rounded to types.data on their way in and out. The layer's factors go to the device rounded to
  // types.weights. The layer is known by its address until
  // forget(), and must not change before that. Throws OpenclError where the device fails, and
  // std::runtime_error, with the build's words, where the kernel cannot be built.
  void forward(const LoraLinear& layer, const Types& types, std::int64_t m,
               std::span<const float> x, std::span<float> y);

  // Lets go of the layer's packed weights: after a step of training, and before the layer ends.
  void forget(const LoraLinear& layer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loratune
