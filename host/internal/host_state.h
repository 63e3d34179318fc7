// What HostWeights and a HostSession hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "host/internal/kernels.h"
#include "loratune/host/forward_host.h"

namespace loratune {

// Memory that begins at a multiple of a cache line.
class AlignedBytes {
 public:
  // At least so many bytes; what was in them is lost where there were fewer. Throws std::bad_alloc.
  void reserve(std::size_t bytes);
  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

struct HostWeights::State {
  Problem shape;
  const host::Kernels* kernels = nullptr;
  host::PackedView view;
  AlignedBytes packed;
};

struct HostSession::State {
  std::unique_ptr<HostThreads> pool;  // null: one thread, or threads of the caller's
  HostExecutor executor;
  AlignedBytes scratch;
};

namespace host {

// As HostWeights::pack, for the kernels of a certain instruction set: tests compare them.
HostWeights::Packed pack_for(const Kernels& kernels, const Problem& shape, const void* a,
                             const void* b) noexcept;

// Why forward_host does not compute the problem, or nothing.
std::string declined(const Problem& problem);

// forward_host without its checks, on weights that stand packed anywhere, elements of `packed`.
// Throws std::bad_alloc, and then y is as it was; never after reserve() for the same problem,
// weights and session.
void compute(const Problem& problem, const Kernels& kernels, Dtype packed,
             const PackedView& weights, const HostOperands& operands, HostSession& session);

// Gets the memory that compute() takes, whatever m is. Throws std::bad_alloc.
void reserve(const Problem& problem, const PackedView& weights, HostSession& session);

}  // namespace host
}  // namespace loratune
