// A Pool holds the adapters of one module, or of a group of modules, that the rows of a call may
// belong to: a slot for each, in one buffer for each layout that a plan has asked for.
//
// Threads: any number of threads may ask the same Pool for operands at a time. Who sets or clears a
// slot is alone with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "loratune/engine/engine.h"
#include "loratune/engine/route.h"

namespace loratune {

// A slot costs its largest rank in memory and its own rank in time. It retains the context.
class Pool {
 public:
  // Of `slots` slots, all empty. Of the shape k, n or the slices, the dtypes, and as the rank the
  // largest that a slot may have; its m and adapters do not count. Throws std::invalid_argument for
  // a shape or a number of slots that is none, and OpenclError.
  Pool(cl_context context, const Problem& shape, int slots);
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;
  ~Pool();

  // Fills the slot, or gives it other factors, in place: by blocking writes on the queue, into the
  // buffers of all layouts made so far. Calls enqueued before on that queue see what was there.
  // Each module has a rank and a scale of its own; the columns of one of rank 0, with a and b null,
  // stay as they are, also where y is overwritten; with DoRA its g multiplies them. Throws as the
  // constructor of Weights does, and std::invalid_argument for a slot that is none, or, without
  // DoRA, where no module has a rank; then the slot is as it was.
  void set(cl_command_queue queue, int slot, std::span<const Factors> modules);
  // The same of one module: a[rank,k] and b[n,rank].
  void set(cl_command_queue queue, int slot, const void* a, const void* b, int rank, float scale);
  // Empties the slot: rows that have it stay as they are. Throws as set() does.
  void clear(cl_command_queue queue, int slot);

  // Makes the pool's buffers the operands', in the plan's layouts, with the step's route. Layouts
  // are made by blocking writes on the queue when first asked for; else nothing is allocated. The
  // route outlives the calls. Throws OpenclError, and std::invalid_argument for a plan that was
  // made for another shape, or where the device has no memory for the layouts.
  void bind(cl_command_queue queue, const LaunchPlan& plan, const Route& route, Operands& operands);

  // The slot's factors as weights of their own rank, for calls whose rows all have it; null where
  // it is empty, or a module of it is. They follow set(), and live until the slot is set or
  // cleared.
  Weights* alone(int slot);
  // The largest rank of the slot's modules, 0 where it is empty; with DoRA a slot that is not empty
  // has at least 1.
  int rank(int slot) const;

  int slots() const;
  const Problem& shape() const;
  // Why calls of the problem cannot take their rows' adapters from here, or nothing: extents, rank,
  // types, slices or DoRA differ.
  std::string shape_reason(const Problem& problem) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loratune
