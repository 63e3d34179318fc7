// What the fuzz targets of adapters share.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "adapters/internal/fault.h"
#include "fuzz.h"

namespace loratune::fuzz {

// Whether `action` took its input; an AdapterFault is one printable line.
template <class Action>
bool takes_adapter(Action action) {
  try {
    action();
    return true;
  } catch (const AdapterFault& fault) {
    const std::string line = fault.what();
    expect(!line.empty() && line.find('\n') == std::string::npos, "a refusal is one line");
    expect_printable(line);
    return false;
  }
}

inline volatile int touched = 0;

// Reads the first and the last byte of what a tensor says it holds.
inline void touch(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  touched = std::to_integer<int>(bytes.front()) + std::to_integer<int>(bytes.back());
}

}  // namespace loratune::fuzz
