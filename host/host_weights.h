// HostWeights are the matrices A and B of one adapter in the layout that forward_host reads: packed
// once, used by any number of calls.
//
// Threads: HostWeights never change, and any number of threads may compute with the same ones at a
// time; who moves, assigns or destroys them is alone with them.
#pragma once

#include <memory>
#include <string>

#include "loratune/variants/problem.h"

namespace loratune {

class HostWeights {
 public:
  struct Packed;  // what packing gives
  struct State;   // the library's own

  // a[rank,k] and b[n,rank]: dense, row-major, in the type of the shape's weights (f16 and bf16:
  // the bits). Both are copied; m and accumulate do not count. Never throws: memory that cannot be
  // had, a null pointer and a shape that is none give the reason.
  static Packed pack(const Problem& shape, const void* a, const void* b) noexcept;

  HostWeights(HostWeights&&) noexcept;
  HostWeights& operator=(HostWeights&&) noexcept;
  ~HostWeights();

  // The problem whose k, n, rank and type of weights these have.
  const Problem& shape() const;
  const State& state() const { return *state_; }

  explicit HostWeights(std::unique_ptr<State> state);  // the library's own

 private:
  std::unique_ptr<State> state_;
};

// Weights, or null and why there are none, in one line.
struct HostWeights::Packed {
  std::unique_ptr<HostWeights> weights;
  std::string why;
};

}  // namespace loratune
