// A Forward is what a runtime holds for all layers of one shape: calls of any number of rows, on
// the runtime's queue and buffers, with the weights of whichever layer. For each call's m it finds
// the plan that the dispatcher picks.
//
// Threads: a Forward belongs to one thread and one in-order queue at a time. Any number of them may
// share an engine, a dispatcher and weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "loratune/engine/pool.h"

namespace loratune {

// The engine and the dispatcher outlive it. Calls of m rows share a plan with those of all m
// between two powers of two, the larger one included: it is the pick for that power of two. After
// prepare() a call of no more rows builds and allocates nothing.
class Forward {
 public:
  // m of `shape` is a hint: calls of just as many rows get the pick for that number. Throws
  // std::invalid_argument where the shape is none.
  Forward(Engine& engine, const Dispatcher& dispatcher, const Problem& shape,
          Mode mode = Mode::fast);
  ~Forward();
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  // Builds what calls of 1 to `most` rows take, packs the weights for them, and runs each kernel
  // once on buffers of its own, since drivers compile late. Empty, or why a call could not run.
  // Throws OpenclError.
  [[nodiscard]] std::string prepare(cl_command_queue queue, Weights& weights, std::int64_t most);

  // Enqueues y (+)= scale * (x A^T) B^T of operands.m rows, for -1 of as many as the hint says. Of
  // the operands a, b, their offsets and weights_of are the weights' to say. Builds and packs what
  // is needed for the first time. Empty, or in a line why the call cannot run, nothing being
  // enqueued: operands that do not fit, weights of another shape, or a plan that cannot be built,
  // nor any fallback. With `events` given, appends one event a command. Throws OpenclError: also
  // where there is no memory to build a plan with, which the next call tries again.
  [[nodiscard]] std::string enqueue(cl_command_queue queue, Weights& weights,
                                    const Operands& operands,
                                    std::vector<cl_event>* events = nullptr);

  // The same with events for whoever shares the queue's results; none for no rows. Allocates
  // nothing once all is built and packed.
  [[nodiscard]] std::string enqueue(cl_command_queue queue, Weights& weights,
                                    const Operands& operands, const Sync& sync);

  // The same for rows of the pool's adapters, of whose shape the Forward is: it scales each row by
  // operands.scale and the scale of its adapter's modules. The plan is the pick for the rows and
  // the adapters that have some, both as powers of two. Where one adapter has all rows they take
  // the plan of its rank for one adapter. For Mode::batch_invariant it is the pick for as many
  // adapters as the pool has slots, whoever has rows.
  [[nodiscard]] std::string enqueue(cl_command_queue queue, Pool& pool, const Route& route,
                                    const Operands& operands,
                                    std::vector<cl_event>* events = nullptr);
  [[nodiscard]] std::string enqueue(cl_command_queue queue, Pool& pool, const Route& route,
                                    const Operands& operands, const Sync& sync);
  // Builds and packs what calls of up to `most` rows of up to `adapters` adapters take, and for
  // each filled slot what its rows alone do, and runs each kernel once.
  [[nodiscard]] std::string prepare(cl_command_queue queue, Pool& pool, std::int64_t most,
                                    int adapters);

  // The executable that calls of m rows run, built where there is none yet; null, with the reason
  // in `why`, where none can be built. m in [1, 2^31), of rows of so many adapters, or for 0 of
  // weights that all rows have. It lives as long as the Forward. Throws OpenclError as enqueue().
  Executable* executable(std::int64_t m, std::string& why, int adapters = 0);
  // The same for m rows of the pool's adapters, where the route is of m rows.
  Executable* executable(Pool& pool, const Route& route, std::int64_t m, std::string& why);

  const Problem& shape() const;

 private:
  template <class How>
  std::string run(cl_command_queue queue, Weights& weights, const Operands& operands, How how);
  template <class How>
  std::string run(cl_command_queue queue, Pool& pool, const Route& route, const Operands& operands,
                  How how);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loratune
