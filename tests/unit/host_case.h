// Operands of forward_host in guarded memory, and what plain double arithmetic says of the result.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>

#include "host/internal/host_state.h"

namespace loratune::host_case {

// exact: signs and small integers, of which every sum is exact. real: normal. nan_row: real, with a
// NaN at the end of a row of x. overflow: results past the largest f16 but not past f32's.
enum class Fill : std::uint8_t { exact, real, nan_row, overflow };

// The nearest value of the type, ties to even, found by trying both neighbours.
inline float rounded(Dtype dtype, float value) {
  if (dtype == Dtype::f32 || std::isnan(value)) return value;
  if (dtype == Dtype::f16) return Imath::half(value);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t below = bits & 0xFFFF0000U;
  const std::uint32_t rest = bits & 0xFFFFU;
  const bool up = rest > 0x8000U || (rest == 0x8000U && (below & 0x10000U) != 0);
  return std::bit_cast<float>(up ? below + 0x10000U : below);
}

inline std::vector<unsigned char> stored(Dtype dtype, const std::vector<float>& values) {
  const auto bytes = static_cast<std::size_t>(element_bytes(dtype));
  std::vector<unsigned char> out(values.size() * bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t half = std::isnan(values[i]) ? 0x7FC1U : 0;
    if (dtype == Dtype::f16 && half == 0) half = Imath::half(values[i]).bits();
    if (dtype == Dtype::bf16 && half == 0) {
      half = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16);
    }
    if (dtype == Dtype::f32) {
      std::memcpy(out.data() + i * bytes, &values[i], bytes);
    } else {
      std::memcpy(out.data() + i * bytes, &half, bytes);
    }
  }
  return out;
}

inline float loaded(Dtype dtype, const unsigned char* at) {
  if (dtype == Dtype::f32) {
    float value = 0;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof(bits));
  if (dtype == Dtype::bf16) return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  Imath::half half;
  half.setBits(bits);
  return half;
}

struct Data {
  std::vector<float> x, a, b, y;
  float scale = 1;
};

inline Data make_data(const Problem& p, Fill fill, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const bool whole = fill == Fill::exact || fill == Fill::overflow;
  const auto values = [&](Dtype dtype, std::int64_t rows, std::int64_t cols) {
    std::vector<float> out(static_cast<std::size_t>(rows * cols));
    for (float& value : out) {
      // Mostly zeros, so that no sum needs more bits than bf16 has.
      value = whole ? (random() % 8 == 0 ? (random() % 2 == 0 ? 1.0F : -1.0F) : 0.0F)
                    : rounded(dtype, normal(random));
    }
    // The last column always counts: a tail that is dropped shows.
    for (std::int64_t i = 0; whole && i < rows; ++i) {
      out[static_cast<std::size_t>((i + 1) * cols - 1)] = 1;
    }
    return out;
  };
  Data data;
  data.x = values(p.dtype, p.m, p.k);
  data.a = values(weights_dtype(p), p.rank, p.k);
  data.b = values(weights_dtype(p), p.n, p.rank);
  data.y = values(p.dtype, p.m, p.n);
  data.scale = whole ? 0.5F : 1.7F;
  if (fill == Fill::nan_row && p.m > 0) {
    data.x[static_cast<std::size_t>((p.m / 2 + 1) * p.k - 1)] = std::nanf("");
  }
  if (fill == Fill::overflow) {
    for (float& value : data.x) value *= 16384;
    data.scale = 64;
  }
  return data;
}

// y in memory with rows apart and guards around; gaps of x are NaN.
struct Memory {
  static constexpr std::int64_t kGuard = 48;
  Memory(const Problem& problem, const Data& data, std::int64_t pad_x, std::int64_t pad_y)
      : p(problem), ld_x(p.k + pad_x), ld_y(p.n + pad_y) {
    x = strided(data.x, p.k, ld_x, std::nanf(""));
    const std::vector<float> poison(data.y.size(), std::nanf(""));
    y = strided(p.accumulate ? data.y : poison, p.n, ld_y, -1664);
  }

  std::vector<unsigned char> strided(const std::vector<float>& dense, std::int64_t cols,
                                     std::int64_t ld, float gap) const {
    std::vector<float> out(static_cast<std::size_t>(2 * kGuard + p.m * ld), gap);
    for (std::int64_t i = 0; i < p.m; ++i) {
      std::copy_n(dense.begin() + i * cols, cols, out.begin() + kGuard + i * ld);
    }
    return stored(p.dtype, out);
  }

  HostOperands operands(float scale) {
    const std::int64_t skip = kGuard * element_bytes(p.dtype);
    return {x.data() + skip, y.data() + skip, ld_x, ld_y, scale};
  }

  float at(std::int64_t row, std::int64_t column) const {
    return loaded(p.dtype, y.data() + (kGuard + row * ld_y + column) * element_bytes(p.dtype));
  }

  // Whether what stands between and around the rows of y is as it was.
  bool gaps_are_whole() const {
    const std::int64_t elements = static_cast<std::int64_t>(y.size()) / element_bytes(p.dtype);
    for (std::int64_t i = 0; i < elements; ++i) {
      const std::int64_t at = i - kGuard;
      const bool element = at >= 0 && at / ld_y < p.m && at % ld_y < p.n;
      if (!element &&
          loaded(p.dtype, y.data() + i * element_bytes(p.dtype)) != rounded(p.dtype, -1664)) {
        return false;
      }
    }
    return true;
  }

  Problem p;
  std::int64_t ld_x, ld_y;
  std::vector<unsigned char> x, y;
};

// What is wrong with y, or nothing.
inline std::string wrong(const Memory& memory, const Data& data, Fill fill) {
  const Problem& p = memory.p;
  for (std::int64_t i = 0; i < p.m; ++i) {
    std::vector<double> h(static_cast<std::size_t>(p.rank)), size(h);
    for (int r = 0; r < p.rank; ++r) {
      for (std::int64_t c = 0; c < p.k; ++c) {
        const double product = static_cast<double>(data.x[static_cast<std::size_t>(i * p.k + c)]) *
                               data.a[static_cast<std::size_t>(r * p.k + c)];
        h[static_cast<std::size_t>(r)] += product;
        size[static_cast<std::size_t>(r)] += std::fabs(product);
      }
    }
    for (std::int64_t j = 0; j < p.n; ++j) {
      const double before = p.accumulate ? data.y[static_cast<std::size_t>(i * p.n + j)] : 0.0F;
      double sum = 0, magnitude = 0;
      for (int r = 0; r < p.rank; ++r) {
        const double b = data.b[static_cast<std::size_t>(j * p.rank + r)];
        sum += h[static_cast<std::size_t>(r)] * b;
        magnitude += size[static_cast<std::size_t>(r)] * std::fabs(b);
      }
      const double want = before + data.scale * sum;
      const double got = memory.at(i, j);
      bool good = false;
      if (fill == Fill::exact || fill == Fill::overflow) {
        good = got == static_cast<double>(rounded(p.dtype, static_cast<float>(want)));
      } else if (std::isnan(want)) {
        good = std::isnan(got);
      } else {
        magnitude = std::fabs(before) + std::fabs(data.scale) * magnitude;
        const double sums = 4 * 0x1p-24 * std::sqrt(static_cast<double>(p.k + p.rank)) * magnitude;
        const double unit = p.dtype == Dtype::f32   ? 0x1p-24
                            : p.dtype == Dtype::f16 ? 0x1p-11
                                                    : 0x1p-8;
        good = std::fabs(got - want) <= sums + unit * (std::fabs(want) + sums) + 0x1p-25;
      }
      if (!good) {
        return "y[" + std::to_string(i) + "," + std::to_string(j) + "] = " + std::to_string(got) +
               ", expected " + std::to_string(want);
      }
    }
  }
  return memory.gaps_are_whole() ? "" : "what is no element of y was written";
}

}  // namespace loratune::host_case
