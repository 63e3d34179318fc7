// A Route says which rows of a step belong to which slot of a pool: made once a step, and used by
// the calls of all modules of all layers.
//
// Threads: a Route belongs to one thread and one in-order queue at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "loratune/engine/opencl_types.h"

namespace loratune {

// It retains the context, and for as long as one of its writes may be under way an event of it.
class Route {
 public:
  // For steps of up to `most_rows` rows over pools of at least `slots` slots. Throws
  static constexpr std::int64_t kMostRows = std::int64_t{1} << 24;  // and slots

  // std::invalid_argument for a number of rows or slots below 1 or above kMostRows, and
  // OpenclError.
  Route(cl_context context, std::int64_t most_rows, int slots);
  Route(Route&&) noexcept;
  Route& operator=(Route&&) noexcept;
  ~Route();

  // The rows of the next step: slot[i] is that of row i, or -1 for a row without an adapter. Sorts
  // them by slot, in time proportional to rows and slots, and enqueues the write of the result;
  // calls enqueued before still see the rows of before. Empty, or why there is no such step, in a
  // line: more rows than there may be, or a slot that is none; then nothing has changed. Allocates
  // nothing. Throws OpenclError; then it is a step of no rows.
  [[nodiscard]] std::string assign(cl_command_queue queue, std::span<const std::int32_t> slot);

  std::int64_t rows() const;  // of the step, those without an adapter included
  int slots() const;
  int active() const;  // slots that have rows
  // The slot that all rows have, or -1.
  int only() const;
  // Blocks of up to `size` rows of one slot, a power of two up to kMostRouteRows.
  std::int64_t blocks(std::int64_t size) const;

  // As Role::route and Role::blocks are.
  cl_mem buffer() const;
  std::int64_t first_block(std::int64_t size) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loratune
