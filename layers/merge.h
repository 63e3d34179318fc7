// A Merge adds adapters to the weights of linear layers, where these stand on the device, so that a
// model with one adapter needs no LoRA product at all: W += scale * B A.
//
// It is the forward product with the rows of W for y: for x stands B and for A the identity, so
// that h = B, and for B the transpose of A. So W goes through memory once, by the kernel that the
// dispatcher picks for the problem problem_of() names. Sums are in float, and W is rounded once. A
// type of 16 bits holds B in several pieces that add up to it: B is not rounded.
//
// What was added cannot be subtracted again to the bit, since W was rounded: who wants W back keeps
// a copy, by copy_weights(), and copies it back.
//
// Threads: a Merge belongs to one thread at a time; several may share an engine and a dispatcher.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "loratune/adapters/lora_linear.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"

namespace loratune {

// The weights W[out,in] of a layer in a buffer of the caller's, which is borrowed for the call. The
// offset and the row pitch are in elements; a pitch of 0 is that of dense rows.
struct WeightMatrix {
  cl_mem buffer = nullptr;
  Dtype dtype = Dtype::f32;
  std::int64_t out = 0, in = 0;
  std::int64_t off = 0, ld = 0;
};

// The engine and the dispatcher outlive it.
class Merge {
 public:
  Merge(Engine& engine, const Dispatcher& dispatcher);
  Merge(const Merge&) = delete;
  Merge& operator=(const Merge&) = delete;
  ~Merge();

  // W += factor * scale * B A on the queue; returns when that is done. Throws std::invalid_argument
  // for extents that are not the layer's or that do not fit the buffer, and for a buffer of another
  // context or that kernels may not read and write, nothing being written; std::runtime_error where
  // no kernel can be built, and OpenclError.
  void merge(cl_command_queue queue, const LoraLinear& layer, const WeightMatrix& w,
             double factor = 1);

  // The problem whose plan merge() runs.
  static Problem problem_of(const LoraLinear& layer, Dtype dtype);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Enqueues a copy of the elements of W, row by row: to keep them, or to have them back. Throws
// std::invalid_argument for other extents or types, matrices that do not fit their buffers or
// overlap, or buffers of another context than the queue's, and OpenclError. Within one buffer rows
// of two pitches take a command each.
void copy_weights(cl_command_queue queue, const WeightMatrix& from, const WeightMatrix& to);

}  // namespace loratune
