// Elements of each type as vectors of f32, and back, for one instruction set: Highway includes this
// file anew for each.
#if defined(LORATUNE_HOST_ELEMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LORATUNE_HOST_ELEMENTS_INL_H_
#undef LORATUNE_HOST_ELEMENTS_INL_H_
#else
#define LORATUNE_HOST_ELEMENTS_INL_H_
#endif

#include <cstdint>
#include <cstring>

#define IMATH_HALF_NO_LOOKUP_TABLE
#include <Imath/half.h>
#include <hwy/highway.h>

#include "host/internal/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace loratune::host {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kLine>;
using Vec = hn::Vec<Floats>;
using Index = std::int64_t;

constexpr int kLanes = static_cast<int>(hn::MaxLanes(Floats()));
constexpr int kVectors = static_cast<int>(kLine) / kLanes;  // of a line

// Registers decide how many sums a tile holds. Below AVX2 there are 16, and a product takes one.
#if HWY_ARCH_ARM_A64
constexpr int kSums = 16, kMostRows = 4, kMostDotRows = 2;
#elif HWY_TARGET <= HWY_AVX3
constexpr int kSums = 16, kMostRows = 8, kMostDotRows = 4;
#elif HWY_TARGET <= HWY_AVX2
constexpr int kSums = 12, kMostRows = 6, kMostDotRows = 2;
#elif HWY_TARGET == HWY_SCALAR
constexpr int kSums = 32, kMostRows = 2, kMostDotRows = 1;  // a line is 16 of them
#else
constexpr int kSums = 8, kMostRows = 2, kMostDotRows = 1;
#endif

// Whether the instruction set converts f16: Highway's own way without is not exact.
constexpr bool kHasF16 = HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64;

HWY_INLINE Vec load(const float* at) { return hn::LoadU(Floats(), at); }
HWY_INLINE Vec load(const hwy::bfloat16_t* at) {
  return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::bfloat16_t, Floats>(), at));
}
HWY_INLINE Vec load(const hwy::float16_t* at) {
  if constexpr (kHasF16) {
    return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::float16_t, Floats>(), at));
  } else {
    float wide[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      Imath::half half;
      std::uint16_t bits = 0;
      std::memcpy(&bits, at + i, sizeof(bits));
      half.setBits(bits);
      wide[i] = half;
    }
    return hn::LoadU(Floats(), wide);
  }
}

// Round to nearest even; a NaN stays one.
HWY_INLINE void store(Vec value, float* at) { hn::StoreU(value, Floats(), at); }
HWY_INLINE void store(Vec value, hwy::bfloat16_t* at) {
  const hn::Rebind<std::uint32_t, Floats> wide;
  const hn::Rebind<std::int32_t, Floats> wide_signed;
  const hn::Rebind<std::uint16_t, Floats> narrow;
  const auto bits = hn::BitCast(wide, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(wide, 0x7FFF)));
  const auto quiet = hn::Or(bits, hn::Set(wide, 0x00400000));
  const auto chosen = hn::IfThenElse(hn::RebindMask(wide, hn::IsNaN(value)), quiet, rounded);
  const auto half = hn::BitCast(wide_signed, hn::ShiftRight<16>(chosen));
  hn::StoreU(hn::DemoteTo(narrow, half), narrow, reinterpret_cast<std::uint16_t*>(at));
}
HWY_INLINE void store(Vec value, hwy::float16_t* at) {
  if constexpr (kHasF16) {
    const hn::Rebind<hwy::float16_t, Floats> narrow;
    hn::StoreU(hn::DemoteTo(narrow, value), narrow, at);
  } else {
    float wide[kLanes];
    hn::StoreU(value, Floats(), wide);
    for (int i = 0; i < kLanes; ++i) {
      const std::uint16_t bits = Imath::half(wide[i]).bits();
      std::memcpy(at + i, &bits, sizeof(bits));
    }
  }
}

// y[0..count) (+)= scale * sums.
template <class Y>
HWY_INLINE void finish(const float* sums, Index count, Y* y, float scale, bool accumulate) {
  const Vec scales = hn::Set(Floats(), scale);
  const auto vector = [&](const float* from, Y* at) HWY_ATTR {
    const Vec sum = load(from);
    store(accumulate ? hn::MulAdd(sum, scales, load(at)) : hn::Mul(sum, scales), at);
  };
  Index c = 0;
  for (; c + kLanes <= count; c += kLanes) vector(sums + c, y + c);
  if (c == count) return;
  Y rest[kLanes] = {};
  const auto bytes = static_cast<std::size_t>(count - c) * sizeof(Y);
  std::memcpy(static_cast<void*>(rest), y + c, bytes);
  vector(sums + c, rest);
  std::memcpy(static_cast<void*>(y + c), rest, bytes);
}

template <class T>
void widen_from(const T* from, Index count, float* to) {
  Index c = 0;
  for (; c + kLanes <= count; c += kLanes) store(load(from + c), to + c);
  if (c == count) return;
  T rest[kLanes] = {};
  std::memcpy(static_cast<void*>(rest), from + c, static_cast<std::size_t>(count - c) * sizeof(T));
  float wide[kLanes];
  store(load(rest), wide);
  std::memcpy(to + c, wide, static_cast<std::size_t>(count - c) * sizeof(float));
}

void widen(Dtype dtype, const void* from, Index count, float* to) {
  if (dtype == Dtype::f32) return widen_from(static_cast<const float*>(from), count, to);
  if (dtype == Dtype::f16) return widen_from(static_cast<const hwy::float16_t*>(from), count, to);
  return widen_from(static_cast<const hwy::bfloat16_t*>(from), count, to);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loratune::host
HWY_AFTER_NAMESPACE();
#endif
