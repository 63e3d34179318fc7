// In what state the weights are when a run begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace loratune {

// warm: every run finds the weights of the run before it. rotate: every run has other copies, as a
// server has that goes from adapter to adapter.
enum class Cache : std::uint8_t { warm, rotate };

constexpr std::string_view to_string(Cache cache) {
  return cache == Cache::warm ? "warm" : "rotate";
}

constexpr std::optional<Cache> parse_cache(std::string_view text) {
  if (text == "warm") return Cache::warm;
  if (text == "rotate") return Cache::rotate;
  return std::nullopt;
}

}  // namespace loratune
