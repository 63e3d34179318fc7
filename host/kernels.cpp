// The micro-kernels. Tiles of sums stay in vector registers: a tile of x A^T or of h B^T is rows
// times lines, where one element of the left matrix is broadcast to a line of packed columns
// (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). Ranks that
// fill no line are dot products along k. Highway compiles the file once for each instruction set.
#include "host/internal/kernels.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/kernels.cpp"
#include <hwy/foreach_target.h>  // first, says Highway
#include <hwy/highway.h>

#include "host/internal/elements-inl.h"

#if defined(__clang__)
#define LORATUNE_UNROLL _Pragma("unroll")
#else
#define LORATUNE_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace loratune::host {
namespace HWY_NAMESPACE {
namespace {

constexpr int power_of_two_below(int n) {
  int power = 1;
  while (2 * power <= n) power *= 2;
  return power;
}

// Lines of a tile of so many rows: as many as there are sums for, up to 8.
constexpr int tile_lines(int rows) {
  const int most = kSums / (rows * kVectors);
  return power_of_two_below(most > 8 ? 8 : most);
}

// The left rows, the packed lines and the depth of one tile. `width`: elements from one step of
// the depth to the next in a panel; `apart`: from one panel to the next.
template <class T>
struct TileOf {
  const float* left;
  Index ld;
  const T* panel;
  Index width, apart, depth;
};

// A tile of more than one line is of wide panels.
template <class T>
HWY_INLINE Vec line_vector(const TileOf<T>& of, Index step, int vector) {
  constexpr Index kLinesOfPanel = kWidePanel / kLine;
  const Index line = vector / kVectors;
  return load(of.panel + step * of.width + line / kLinesOfPanel * of.apart +
              line % kLinesOfPanel * kLine + vector % kVectors * kLanes);
}

template <int kRows, int kLines, class T>
HWY_INLINE void sum_tile(const TileOf<T>& of, Vec (&sums)[kRows][kLines * kVectors]) {
  constexpr int kAcross = kLines * kVectors;
  LORATUNE_UNROLL for (int i = 0; i < kRows; ++i) {
    LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) sums[i][v] = hn::Zero(Floats());
  }
  for (Index p = 0; p < of.depth; ++p) {
    Vec right[kAcross];
    LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) right[v] = line_vector(of, p, v);
    LORATUNE_UNROLL for (int i = 0; i < kRows; ++i) {
      const Vec left = hn::Set(Floats(), of.left[i * of.ld + p]);
      LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) {
        sums[i][v] = hn::MulAdd(left, right[v], sums[i][v]);
      }
    }
  }
}

// Where the sums of a tile go: out (+)= scale * sum.
struct Target {
  float* out;
  Index ld;
  float scale;
  bool add;
};

template <int kRows, int kLines, class T>
HWY_NOINLINE void tile(const TileOf<T>& of, const Target& target) {
  Vec sums[kRows][kLines * kVectors];
  sum_tile<kRows, kLines>(of, sums);
  const Target to =
      target;  // what is stored could be a part of it, for all that the compiler knows
  const Vec scale = hn::Set(Floats(), to.scale);
  const auto store_all = [&](auto&& result) HWY_ATTR {
    LORATUNE_UNROLL for (int i = 0; i < kRows; ++i) {
      LORATUNE_UNROLL for (int v = 0; v < kLines * kVectors; ++v) {
        float* at = to.out + i * to.ld + v * kLanes;
        store(result(sums[i][v], at), at);
      }
    }
  };
  if (to.add) {
    store_all([&](Vec sum, const float* at) HWY_ATTR { return hn::MulAdd(sum, scale, load(at)); });
  } else {
    store_all([&](Vec sum, const float*) HWY_ATTR { return hn::Mul(sum, scale); });
  }
}

// Cuts `rows` into tiles of kMostRows, 4, 2 and 1 of them: work.template operator()<kRows>(row).
template <int kMost, class F>
HWY_INLINE void for_row_blocks(Index rows, F&& work) {
  Index row = 0;
  for (; row + kMost <= rows; row += kMost) work.template operator()<kMost>(row);
  if constexpr (kMost > 4) {
    for (; row + 4 <= rows; row += 4) work.template operator()<4>(row);
  }
  if constexpr (kMost > 2) {
    for (; row + 2 <= rows; row += 2) work.template operator()<2>(row);
  }
  if constexpr (kMost > 1) {
    for (; row < rows; ++row) work.template operator()<1>(row);
  }
}

// Cuts the lines [first, last) into tiles: work.template operator()<kLines>(line).
template <int kLines, class F>
HWY_INLINE void for_line_blocks(Index first, Index last, F&& work) {
  for (; first + kLines <= last; first += kLines) work.template operator()<kLines>(first);
  if constexpr (kLines > 1) for_line_blocks<kLines / 2>(first, last, work);
}

// Packed lines from `line` on, of a matrix of so many columns, and from `begin` on in their depth.
template <class T>
HWY_INLINE TileOf<T> tile_of(const void* packed, Index depth, Index columns, Index line,
                             Index begin, Index count) {
  const Index width = panel_columns(columns);
  const Index lines = width / kLine;
  const T* panel = static_cast<const T*>(packed) + line / lines * width * depth;
  return {nullptr, 0, panel + begin * width + line % lines * kLine, width, width * depth, count};
}

// Of a single row so few lines are taken with all segments at a time.
constexpr Index kFewLines = 2;

Index segment_length(Index k) { return k / kSegments; }

// The segments' part of x A^T for the lines [first, last), all rows: h (+)= its sum.
template <class T>
void project_lines(const Rows& x, const PackedView& w, Index segment, Index first, Index last,
                   float* h, Index ld_h, bool add) {
  const Index begin = segment * segment_length(w.k);
  const Index count = segment + 1 == kSegments ? w.k - begin : segment_length(w.k);
  for_row_blocks<kMostRows>(x.count, [&]<int kRows>(Index row) HWY_ATTR {
    for_line_blocks<tile_lines(kRows)>(first, last, [&]<int kLines>(Index line) HWY_ATTR {
      TileOf<T> of = tile_of<T>(w.a, w.k, w.rank, line, begin, count);
      of.left = x.at + row * x.ld + begin;
      of.ld = x.ld;
      tile<kRows, kLines>(of, {h + row * ld_h + line * kLine, ld_h, 1.0F, add});
    });
  });
}

// All segments of one row and few lines at a time: a single one has too few sums to keep the
// multipliers busy.
template <int kLines, class T>
HWY_NOINLINE void project_row(const float* x, const PackedView& w, Index line, float* h) {
  constexpr int kAcross = kLines * kVectors;
  const Index length = segment_length(w.k);
  const TileOf<T> of = tile_of<T>(w.a, w.k, w.rank, line, 0, w.k);
  Vec sums[kSegments][kAcross];
  LORATUNE_UNROLL for (int s = 0; s < kSegments; ++s) {
    LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) sums[s][v] = hn::Zero(Floats());
  }
  for (Index p = 0; p < length; ++p) {
    LORATUNE_UNROLL for (int s = 0; s < kSegments; ++s) {
      const Vec left = hn::Set(Floats(), x[s * length + p]);
      LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) {
        sums[s][v] = hn::MulAdd(left, line_vector(of, s * length + p, v), sums[s][v]);
      }
    }
  }
  for (Index p = kSegments * length; p < w.k; ++p) {
    const Vec left = hn::Set(Floats(), x[p]);
    LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) {
      sums[kSegments - 1][v] = hn::MulAdd(left, line_vector(of, p, v), sums[kSegments - 1][v]);
    }
  }
  LORATUNE_UNROLL for (int v = 0; v < kAcross; ++v) {
    Vec sum = sums[0][v];
    LORATUNE_UNROLL for (int s = 1; s < kSegments; ++s) sum = hn::Add(sum, sums[s][v]);
    store(sum, h + v * kLanes);
  }
}

// Sums of two neighbouring lanes each, those of `low` first.
HWY_INLINE Vec add_neighbours(Vec high, Vec low) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Add(low, high);
#else
  return hn::Add(hn::ConcatEven(Floats(), high, low), hn::ConcatOdd(Floats(), high, low));
#endif
}

// Adds neighbouring lanes of vectors that stand side by side until each of the kCount dot products,
// of which each has a line of partial sums, is one lane: at every level the order is the same,
// whatever a vector's length.
template <int kCount>
HWY_INLINE void reduce_lines(Vec (&partial)[kCount * kVectors], float* sums) {
  int vectors = kCount * kVectors;
  LORATUNE_UNROLL for (int width = static_cast<int>(kLine); width > 1; width /= 2) {
    const int half = (vectors + 1) / 2;
    LORATUNE_UNROLL for (int v = 0; v < half; ++v) {
      const Vec low = partial[2 * v];
      const Vec high = partial[vectors > 1 ? 2 * v + 1 : 0];
      partial[v] = add_neighbours(high, low);
    }
    vectors = half;
  }
  LORATUNE_UNROLL for (int v = 0; v < (kCount + kLanes - 1) / kLanes; ++v) {
    store(partial[v], sums + v * kLanes);
  }
}

// Dot products of kRows rows of x with kRanks ranks of a group, from its rank `rank` on.
template <int kRows, int kRanks, class T>
HWY_NOINLINE void dot_tile(const float* x, Index ld, const T* group, Index k, int rank, float* h,
                           Index ld_h) {
  Vec sums[kRows * kRanks * kVectors];
  LORATUNE_UNROLL for (auto& sum : sums) sum = hn::Zero(Floats());
  const auto step = [&](const float* left, Index left_ld, const T* right) HWY_ATTR {
    LORATUNE_UNROLL for (int v = 0; v < kVectors; ++v) {
      Vec rows[kRows];
      LORATUNE_UNROLL for (int i = 0; i < kRows; ++i) rows[i] =
          load(left + i * left_ld + v * kLanes);
      LORATUNE_UNROLL for (int j = 0; j < kRanks; ++j) {
        const Vec ranks = load(right + j * kLine + v * kLanes);
        LORATUNE_UNROLL for (int i = 0; i < kRows; ++i) {
          Vec& sum = sums[(i * kRanks + j) * kVectors + v];
          sum = hn::MulAdd(rows[i], ranks, sum);
        }
      }
    }
  };
  const T* right = group + rank * kLine;
  Index p = 0;
  for (; p + kLine <= k; p += kLine, right += kGroupRanks * kLine) step(x + p, ld, right);
  if (p < k) {  // nothing behind a row is read: it may be another's, or NaN
    float rest[kRows * kLine] = {};
    for (int i = 0; i < kRows; ++i) {
      std::memcpy(rest + i * kLine, x + i * ld + p,
                  static_cast<std::size_t>(k - p) * sizeof(float));
    }
    step(rest, kLine, right);
  }
  constexpr int kRoom = (kRows * kRanks + kLanes - 1) / kLanes * kLanes;
  float dots[kRoom];
  reduce_lines<kRows * kRanks>(sums, dots);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kRanks; ++j) h[i * ld_h + rank + j] = dots[i * kRanks + j];
  }
}

template <class T>
void project_group(const Rows& x, const PackedView& w, Index group, float* h, Index ld_h) {
  const Index elements = PackedView::lines(w.k) * kLine * kGroupRanks;
  const T* packed = static_cast<const T*>(w.a) + group * elements;
  float* out = h + group * kGroupRanks;
  for_row_blocks<kMostDotRows>(x.count, [&]<int kRows>(Index row) HWY_ATTR {
    constexpr int kRanks = std::min(static_cast<int>(kGroupRanks), kSums / (kRows * kVectors));
    constexpr int kWhole = power_of_two_below(kRanks);
    for (int rank = 0; rank < kGroupRanks; rank += kWhole) {
      dot_tile<kRows, kWhole>(x.at + row * x.ld, x.ld, packed, w.k, rank, out + row * ld_h, ld_h);
    }
  });
}

template <class T>
void project_part(const Rows& x, const PackedView& w, Index segment, Index first, Index last,
                  float* h, Index ld_h) {
  project_lines<T>(x, w, segment, first, last, h, ld_h, false);
}

template <class T>
void project(const Rows& x, const PackedView& w, float* h, Index ld_h) {
  const Index lines = w.a_lines();
  if (x.count == 1 && lines <= kFewLines) {
    for_line_blocks<tile_lines(kSegments)>(0, lines, [&]<int kLines>(Index line) HWY_ATTR {
      project_row<kLines, T>(x.at, w, line, h + line * kLine);
    });
  } else {
    for (Index segment = 0; segment < kSegments; ++segment) {
      project_lines<T>(x, w, segment, 0, lines, h, ld_h, segment > 0);
    }
  }
  for (Index group = 0; group < w.groups(); ++group) project_group<T>(x, w, group, h, ld_h);
}

template <class T, class Y>
void expand_into(const Rows& h, const PackedView& w, Index first, Index last,
                 const OutputRows& to) {
  for_row_blocks<kMostRows>(h.count, [&]<int kRows>(Index row) HWY_ATTR {
    for_line_blocks<tile_lines(kRows)>(first, last, [&]<int kLines>(Index line) HWY_ATTR {
      TileOf<T> of = tile_of<T>(w.b, w.rank, w.n, line, 0, w.rank);
      of.left = h.at + row * h.ld;
      of.ld = h.ld;
      Y* y = static_cast<Y*>(to.at) + row * to.ld + line * kLine;
      const Index columns = std::min<Index>(kLines * kLine, w.n - line * kLine);
      if constexpr (std::is_same_v<Y, float>) {
        if (columns == kLines * kLine) {
          tile<kRows, kLines>(of, {y, to.ld, to.scale, to.accumulate});
          return;
        }
      }
      HWY_ALIGN float sums[kRows * kLines * kLine];
      tile<kRows, kLines>(of, {sums, kLines * kLine, 1.0F, false});
      for (int i = 0; i < kRows; ++i) {
        finish(sums + i * kLines * kLine, columns, y + i * to.ld, to.scale, to.accumulate);
      }
    });
  });
}

template <class T>
void expand(const Rows& h, const PackedView& w, Index first, Index last, const OutputRows& to) {
  if (to.dtype == Dtype::f32) return expand_into<T, float>(h, w, first, last, to);
  if (to.dtype == Dtype::f16) return expand_into<T, hwy::float16_t>(h, w, first, last, to);
  return expand_into<T, hwy::bfloat16_t>(h, w, first, last, to);
}

template <class T>
constexpr Products kProducts = {project<T>, project_part<T>, project_group<T>, expand<T>};

const Products* products(Dtype packed) {
  if (packed == Dtype::f32) return &kProducts<float>;
  if (packed == Dtype::f16) return &kProducts<hwy::float16_t>;
  return &kProducts<hwy::bfloat16_t>;
}

}  // namespace

const Kernels* kernels() {
  static constexpr Kernels kKernels = {std::string_view(HWY_STR(HWY_NAMESPACE)).substr(2), products,
                                       widen};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace loratune::host
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loratune::host {

#if (HWY_TARGETS & (HWY_TARGETS - 1)) != 0
HWY_EXPORT(kernels);

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all;
  // A lower bit is a better instruction set.
  for (std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1) {
    hwy::ChosenTarget target;
    target.Update(left & -left);
    all.push_back(HWY_DISPATCH_TABLE(kernels)[target.GetIndex()]());
  }
  return all;
}
#else
std::vector<const Kernels*> all_kernels() { return {HWY_STATIC_DISPATCH(kernels)()}; }
#endif

const Kernels& best_kernels() {
  static const Kernels& best = *all_kernels().front();
  return best;
}

}  // namespace loratune::host
#endif  // HWY_ONCE
