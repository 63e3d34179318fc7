// What every variant computes, in plain C++ on the host: the harness and the tests link it, a
// runtime does not.
#pragma once

#include "loratune/variants/variant.h"

namespace loratune {

// Dense row-major operands in float (values of f16 and bf16 widened exactly); y holds the input
// when accumulating, and the result afterwards, rounded to the problem's dtype.
struct HostTensors {
  const float* x;
  const float* a;
  const float* b;
  float* y;
  float scale;
  const float* g = nullptr;  // the factors of the columns, with DoRA
};

// Computes the problem on the host in the order of summation and with the rounding points of the
// variant's kernel under this config, so that the two differ by contracted multiply-adds at most.
using Reference = void (*)(const Problem&, const Config&, const DeviceInfo&, const HostTensors&);

// Nullptr for a name that no variant has.
Reference find_reference(std::string_view variant);

}  // namespace loratune
