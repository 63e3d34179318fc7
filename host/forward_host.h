// forward_host computes y (+)= scale * (x A^T) B^T on the host, in memory of the caller's, with no
// OpenCL. Sums are f32 whatever the types of x, y and the weights.
//
// An element of y is within 4 * 2^-24 * sqrt(k + rank) * (|y| + |scale| |x||A||B|) of the exact
// result, and one rounding to y's type. Its bits depend on its row of x, on A, on its row of B and
// on y: not on m, on the pitches, on the column it stands in, or on the number of threads; and not
// on the instruction set, among those that multiply and add with one rounding (AVX2, AVX-512,
// NEON).
//
// Threads: a HostSession belongs to one thread at a time; threads with a session each may use the
// same weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "loratune/host/host_threads.h"
#include "loratune/host/host_weights.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Where a call's rows stand. Pitches are in elements; 0 is that of dense rows, k for x and n for y.
// x and y are of the problem's dtype, aligned to it, and do not overlap.
struct HostOperands {
  const void* x = nullptr;
  void* y = nullptr;
  std::int64_t ld_x = 0, ld_y = 0;
  float scale = 1.0F;
};

// What calls keep between them: threads, and memory that grows with the largest call and is then
// only used again.
class HostSession {
 public:
  // With a pool of its own; of one thread where `threads` is 1.
  explicit HostSession(int threads = 1);
  // On threads of the caller's. What `executor` names outlives the session.
  explicit HostSession(const HostExecutor& executor);
  HostSession(HostSession&&) noexcept;
  HostSession& operator=(HostSession&&) noexcept;
  ~HostSession();

  int threads() const;
  struct State;  // the library's own
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Empty where y was computed. Otherwise why not, in one line, and y is as it was: a problem that is
// none, weights of another shape or type, a null pointer, a pitch shorter than a row, rows that no
// address space holds, or memory that could not be had. Never throws. Nothing of the caller's is
// kept. Only the first calls of a session allocate.
std::string forward_host(const Problem& problem, const HostWeights& weights,
                         const HostOperands& operands, HostSession& session) noexcept;

// The same with a[rank,k] and b[n,rank] as HostWeights::pack takes them, which are packed and
// dropped again: for one call. On a pool that is made for it, where `threads` is more than 1.
std::string forward_host(const Problem& problem, const void* a, const void* b,
                         const HostOperands& operands, int threads = 1) noexcept;

// The instruction set that forward_host uses on this processor, as Highway names it: "AVX3" is
// AVX-512.
std::string_view host_instruction_set();

}  // namespace loratune
