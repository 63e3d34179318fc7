#include "harness/base/problem_size.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/base/failure.h"
#include "loratune/dispatch/default_choice.h"

namespace loratune {
namespace {

std::string in_gib(double bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", bytes / (1 << 30));
  return text;
}

}  // namespace

std::string too_large_reason(const Problem& p, const DeviceInfo& device, double memory_bytes) {
  if (default_choice(p, device).variant == nullptr) return "is taken by no variant of this build";
  // In double: the products of the largest extents are beyond 64 bits.
  const auto m = static_cast<double>(p.m);
  const auto k = static_cast<double>(p.k);
  const auto n = static_cast<double>(p.n);
  const double a = static_cast<double>(h_columns(p)) * k;
  const double b = static_cast<double>(p.rank) * n;
  const double inputs = m * k + (a + b) * std::max(p.adapters, 1);
  const double largest = std::max(std::max(m * k, m * n) * element_bytes(p.dtype),
                                  std::max(a, b) * element_bytes(weights_dtype(p)));
  if (largest > static_cast<double>(device.max_alloc_bytes)) {
    return "needs a buffer of " + in_gib(largest) + ", the device allows " +
           in_gib(static_cast<double>(device.max_alloc_bytes));
  }
  // The operands in float and, for the oracle, in double, and of each element of y what the oracle
  // says and what its error may be.
  const double needed = 12 * inputs + 20 * m * n;
  if (needed > memory_bytes) {
    return "needs " + in_gib(needed) + " of memory to be compared with the oracle, there are " +
           in_gib(memory_bytes);
  }
  return {};
}

void refuse_too_large(std::span<const Problem> problems, const DeviceInfo& device) {
  for (const Problem& problem : problems) {
    const std::string why = too_large_reason(problem, device, memory_bytes());
    if (!why.empty()) throw Failure(kExitUsage, to_string(problem) + " " + why);
  }
}

double memory_bytes() {
  double bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    bytes = std::min(bytes, static_cast<double>(limit.rlim_cur));
  }
  return bytes;
}

}  // namespace loratune
