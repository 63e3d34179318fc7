// Numbers in JSON that comes from outside.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace loratune {

// The number, which messages call `name`. nlohmann's own get<int>() would cut a fraction off, and
// the upper bits of what is too large. Throws std::invalid_argument.
template <class Int>
Int whole_from(const nlohmann::json& value, const char* name,
               Int low = std::numeric_limits<Int>::min(),
               Int high = std::numeric_limits<Int>::max()) {
  const auto within = [&](auto number) -> std::optional<Int> {
    if (std::cmp_less(number, low) || std::cmp_greater(number, high)) return std::nullopt;
    return static_cast<Int>(number);
  };
  std::optional<Int> number;
  if (value.is_number_unsigned()) {
    number = within(value.get<std::uint64_t>());
  } else if (value.is_number_integer()) {
    number = within(value.get<std::int64_t>());
  }
  if (number) return *number;
  throw std::invalid_argument(std::string(name) + " is no whole number from " +
                              std::to_string(low) + " to " + std::to_string(high));
}

// The whole numbers of an array.
inline std::vector<int> wholes_from(const nlohmann::json& value, const char* name) {
  if (!value.is_array()) throw std::invalid_argument(std::string(name) + " is no array");
  std::vector<int> numbers;
  for (const nlohmann::json& one : value) numbers.push_back(whole_from<int>(one, name));
  return numbers;
}

// JSON has no number for NaN and the infinities: they are written as null, and read back as NaN,
// which no reader takes for a time.
inline double number_from(const nlohmann::json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace loratune
