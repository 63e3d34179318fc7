#include "harness/base/problem_size.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/base/failure.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/engine/route.h"

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
  // A pool is one buffer, with two slots beside those of the adapters. Some plans pack as f32.
  const double weights = 4 * (a + b) * (p.adapters > 0 ? p.adapters + 2 : 1);
  const double tensor = (std::max(m * k, m * n) + 2 * kGuardElements) * element_bytes(p.dtype);
  const double largest = std::max(tensor, weights);
  if (largest > static_cast<double>(device.max_alloc_bytes)) {
    return "needs a buffer of " + in_gib(largest) + ", the device allows " +
           in_gib(static_cast<double>(device.max_alloc_bytes));
  }
  if (p.adapters > 0 && p.m > Route::kMostRows) {
    return "has more rows than the " + std::to_string(Route::kMostRows) + " of a route";
  }
  // The operands in float and, for the oracle, in double. Of an element of y what the oracle says,
  // what its error may be, and some copies: a check was seen to take 38 bytes, a benchmark 60.
  const double needed = 12 * inputs + 60 * m * n;
  if (needed > memory_bytes) {
    return "needs " + in_gib(needed) + " of memory to be compared with the oracle, there are " +
           in_gib(memory_bytes);
  }
  return {};
}

void require_timeable(std::span<const Problem> problems, const DeviceInfo& device) {
  for (const Problem& problem : problems) {
    const std::string why =
        problem.m == 0 ? kNoRows : too_large_reason(problem, device, memory_bytes());
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
