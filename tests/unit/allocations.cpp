#include "unit/allocations.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace loratune {
namespace {

thread_local Allocations counted;

void* counted_allocation(std::size_t size) noexcept {
  if (counted.before_failure >= 0 && counted.before_failure-- == 0) return nullptr;
  void* memory = std::malloc(size == 0 ? 1 : size);
  ++counted.count;
  counted.live += static_cast<std::int64_t>(malloc_usable_size(memory));
  counted.peak = std::max(counted.peak, counted.live);
  return memory;
}

void counted_release(void* memory) noexcept {
  counted.live -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

Allocations& allocations() { return counted; }

}  // namespace loratune

// Inlined, GCC would see malloc freed by operator delete and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* memory = loratune::counted_allocation(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return loratune::counted_allocation(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { loratune::counted_release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  loratune::counted_release(memory);
}
