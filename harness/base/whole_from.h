// Numbers in JSON that comes from outside.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace loratune {

// The number, which messages call `name`. nlohmann's own get<int>() would cut a fraction off, and
// the upper bits of what is too large. Throws std::invalid_argument.
template <class Int>
Int whole_from(const nlohmann::json& value, const char* name,
               Int low = std::numeric_limits<Int>::min(),
               Int high = std::numeric_limits<Int>::max()) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMost);
  const std::int64_t number = fits ? value.get<std::int64_t>() : 0;
  if (!fits || number < static_cast<std::int64_t>(low) ||
      number > static_cast<std::int64_t>(high)) {
    throw std::invalid_argument(std::string(name) + " is no whole number from " +
                                std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<Int>(number);
}

// JSON has no number for NaN and the infinities: they are written as null, and read back as NaN,
// which no reader takes for a time.
inline double number_from(const nlohmann::json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace loratune
