// A SearchSpace is a variant's tuning axes and the constraint that cuts their product; a Config is
// one point of it, its values in the order of the parameters.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loratune/variants/device_info.h"
#include "loratune/variants/problem.h"

namespace loratune {

inline constexpr int kMaxParameters = 12;

// Plain values without heap memory, so that a Choice can be copied without allocating.
class Config {
 public:
  constexpr Config() = default;
  constexpr Config(std::initializer_list<std::int32_t> values) {
    for (const std::int32_t value : values) push_back(value);
  }
  constexpr void push_back(std::int32_t value) { values_[static_cast<unsigned>(size_++)] = value; }
  constexpr int size() const { return size_; }
  constexpr std::int32_t operator[](int i) const { return values_[static_cast<unsigned>(i)]; }
  constexpr std::int32_t& operator[](int i) { return values_[static_cast<unsigned>(i)]; }
  constexpr auto operator<=>(const Config&) const = default;

 private:
  std::array<std::int32_t, kMaxParameters> values_{};
  int size_ = 0;
};

struct Parameter {
  std::string_view name;                 // the macro of the kernel, UPPER_SNAKE
  std::span<const std::int32_t> values;  // ascending
};

struct SearchSpace {
  std::span<const Parameter> parameters;
  // Whether the config may run on this problem and device, as far as is known before a build. A
  // larger value of a parameter never allows what its smallest one refuses, the parameters before
  // it being the same and those after it at their smallest: so a search can pass over many at once.
  bool (*constraint)(const Config&, const Problem&, const DeviceInfo&);
};

// Points of the product of all axes, before the constraint.
std::int64_t product_size(const SearchSpace& space);

// Point `index` of the product, the last parameter varying fastest. Index in [0, product_size).
Config config_at(const SearchSpace& space, std::int64_t index);

// True if every value is one of its parameter's; says nothing of the constraint.
bool contains(const SearchSpace& space, const Config& config);

// `WG_SIZE=256 BLOCK_N=32`, and back; nothing for an unknown, missing or repeated name or a value
// that is not one of the parameter's.
std::string to_string(const SearchSpace& space, const Config& config);
std::optional<Config> parse_config(const SearchSpace& space, std::string_view text);

// The largest value of the parameter that is at most `bound`, else its smallest.
std::int32_t at_most(const Parameter& parameter, std::int64_t bound);

}  // namespace loratune
