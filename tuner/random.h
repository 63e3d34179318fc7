// Seeds, and draws from them, that come out the same with every compiler and standard library, so
// that a journal written by one build is good for another. std::hash and the distributions of
// <random> leave their results to the implementation; the engine std::mt19937_64 does not.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace loratune {

// A seed for stream number `stream` of a run; near inputs give unrelated seeds (splitmix64).
constexpr std::uint64_t mix_seed(std::uint64_t seed, std::uint64_t stream) {
  std::uint64_t z = seed + (stream + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// The seed of what has this name (a problem, a case) in a run with this seed: FNV-1a of the name.
constexpr std::uint64_t seed_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 14695981039346656037U ^ seed;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // Uniform in [0, bound), where bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    // Of all draws the lowest 2^64 mod bound are refused, and the rest divides evenly.
    const std::uint64_t refused = (0 - bound) % bound;
    std::uint64_t draw = engine_();
    while (draw < refused) draw = engine_();
    return draw % bound;
  }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace loratune
