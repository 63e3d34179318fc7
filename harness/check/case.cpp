#include "harness/check/case.h"

#include <cblas.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <utility>

#include "harness/base/adapter_source.h"
#include "variants/internal/planning.h"

namespace loratune {
namespace {

// What keeps sums exact: non-zeros of a row of x and of a row of B, and how large y is.
struct ExactLimits {
  std::int64_t terms, b_terms, y;
};

ExactLimits exact_limits(Dtype dtype) {
  if (dtype == Dtype::bf16) return {8, 8, 64};
  return dtype == Dtype::f16 ? ExactLimits{16, 32, 128} : ExactLimits{4096, 1024, 128};
}

std::size_t count(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

// Rows of -1 and 1 with at most `terms` non-zeros, the first and last element always among them.
std::vector<float> sparse_signs(std::int64_t rows, std::int64_t cols, std::int64_t terms,
                                std::mt19937_64& random) {
  std::vector<float> values(count(rows, cols));
  const auto sign = [&] { return (random() >> 40 & 1U) != 0 ? 1.0F : -1.0F; };
  for (std::int64_t i = 0; i < rows; ++i) {
    float* row = values.data() + i * cols;
    if (cols <= terms) {
      std::generate(row, row + cols, sign);
      continue;
    }
    for (std::int64_t t = 0; t < terms - 2; ++t) {
      row[random() % static_cast<std::uint64_t>(cols)] = sign();
    }
    row[0] = sign();
    row[cols - 1] = sign();
  }
  return values;
}

// Scales of slices that differ, and factors of columns. With `scale` of 1/2 or 2 the scale of a
// slice is 1/2 or 2 too, of either sign; factors of exact data are powers of two that keep results
// exact.
void add_group_data(const Problem& p, bool exact, std::mt19937_64& random, CaseData& data) {
  const float other = data.scale > 1 ? 0.25F : 4.0F;
  for (int i = 0; i < slice_count(p) && slice_count(p) > 1; ++i) {
    const float sign = (random() & 1U) != 0 ? 1.0F : -1.0F;
    data.slice_scale[static_cast<unsigned>(i)] =
        exact ? sign * (i % 2 == 0 ? 1.0F : other) : sign * (0.5F + 0.375F * static_cast<float>(i));
  }
  if (!p.dora) return;
  constexpr float kPowers[] = {1.0F, 0.5F, -1.0F};
  std::normal_distribution<float> normal(1.0F, 0.25F);
  data.g.resize(count(1, p.n));
  for (float& value : data.g) value = exact ? kPowers[random() % 3] : normal(random);
}

// Every sum of |x||A||B| is at most 2^6 for bf16, 2^9 for f16 and 2^22 for f32, h at most 2^3, 2^4
// and 2^12; with such y and a scale of 1/2 or 2 no partial sum needs more bits than the format has:
// 8, 11 or 24.
CaseData exact_data(const Problem& p, std::mt19937_64& random) {
  const auto [terms, b_terms, largest] = exact_limits(p.dtype);
  CaseData data;
  data.x = sparse_signs(p.m, p.k, terms, random);
  data.a = sparse_signs(h_columns(p), p.k, p.k, random);
  // The last rank of each module agrees with the first row of x, so that its h there is not 0 and a
  // kernel that drops the rank is found.
  for (int slice = 1; slice <= slice_count(p) && p.m > 0; ++slice) {
    float* row = data.a.data() + (slice * p.rank - 1) * p.k;
    for (std::int64_t i = 0; i < p.k; ++i) {
      const float x = data.x[static_cast<std::size_t>(i)];
      if (x != 0) row[i] = x;
    }
  }
  data.b = sparse_signs(p.n, p.rank, b_terms, random);
  data.y.resize(count(p.m, p.n));
  const auto values = static_cast<std::uint64_t>(2 * largest + 1);
  for (float& value : data.y) {
    value = static_cast<float>(random() % values) - static_cast<float>(largest);
  }
  data.scale = (random() & 1U) != 0 ? 2.0F : 0.5F;
  add_group_data(p, true, random, data);
  return data;
}

CaseData real_data(const Problem& p, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  const auto fill = [&](std::int64_t rows, std::int64_t cols, Dtype dtype) {
    std::vector<float> values(count(rows, cols));
    for (float& value : values) value = round_to(dtype, normal(random));
    return values;
  };
  CaseData data;
  data.x = fill(p.m, p.k, p.dtype);
  data.a = fill(h_columns(p), p.k, weights_dtype(p));
  data.b = fill(p.n, p.rank, weights_dtype(p));
  data.y = fill(p.m, p.n, p.dtype);
  data.scale = 1.7F;  // no power of two, so that a lost scale shows in the low bits too
  add_group_data(p, false, random, data);
  return data;
}

// Data of one module or group with a slot for each adapter and two more, of which one is empty.
CaseData pool_data(const Case& problem_case) {
  const Problem& p = problem_case.problem;
  const bool mixed = problem_case.fill == Fill::exact || problem_case.fill == Fill::overflow;
  Case alone = problem_case;
  alone.problem.adapters = 0;
  alone.weights = {};
  CaseData data = make_data(alone);
  data.a.clear();
  data.b.clear();
  data.g.clear();
  const auto scales = std::exchange(data.slice_scale, CaseData().slice_scale);
  const auto adapters =
      static_cast<int>(std::min<std::int64_t>(p.adapters, std::max<std::int64_t>(p.m, 1)));
  std::mt19937_64 random(problem_case.seed + 1);
  data.pool.resize(static_cast<std::size_t>(adapters) + 2);
  for (int i = 0; i < adapters; ++i) {
    Problem one = alone.problem;
    one.m = 0;
    if (mixed) one.rank = std::max(1, p.rank >> (i % 3));
    const CaseData made = mixed ? exact_data(one, random) : real_data(one, random);
    // Slot 0 stays empty, and adapters stand from the last slot on.
    SlotData& slot = data.pool[static_cast<std::size_t>(adapters + 1 - i)];
    slot = {one.rank, made.a, made.b, made.g, scales};
    // Of the size that the data is exact for, and of either sign.
    for (float& scale : slot.slice_scale) scale *= (random() & 1U) != 0 ? 1.0F : -1.0F;
  }
  data.slots.resize(static_cast<std::size_t>(p.m));
  for (std::size_t row = 0; row < data.slots.size(); ++row) {
    data.slots[row] = mixed ? static_cast<std::int32_t>(random() % (data.pool.size() + 1)) - 1
                            : adapters + 1 - static_cast<int>(row) % adapters;
  }
  // A negative zero in a row that is left alone shows an added zero.
  for (std::int64_t row = 0; row < p.m; ++row) {
    if (is_left_alone(data, row)) data.y[count(row, p.n)] = -0.0F;
  }
  return data;
}

}  // namespace

bool is_left_alone(const CaseData& data, std::int64_t row) {
  if (data.pool.empty()) return false;
  const std::int32_t slot = data.slots[static_cast<std::size_t>(row)];
  return slot < 0 || data.pool[static_cast<std::size_t>(slot)].rank == 0;
}

std::vector<AdapterPart> adapter_parts(const Problem& p, const CaseData& data) {
  std::vector<AdapterPart> parts;
  for (std::size_t slot = 0; slot < data.pool.size(); ++slot) {
    const SlotData& own = data.pool[slot];
    AdapterPart part;
    for (std::int64_t row = 0; row < p.m; ++row) {
      const std::int32_t of_row = data.slots[static_cast<std::size_t>(row)];
      if (of_row < 0 || static_cast<std::size_t>(of_row) != slot || own.rank == 0) continue;
      part.rows.push_back(row);
      const auto add = [&](std::vector<float>& to, const std::vector<float>& from,
                           std::int64_t cols) {
        to.insert(to.end(), from.begin() + row * cols, from.begin() + (row + 1) * cols);
      };
      add(part.data.x, data.x, p.k);
      add(part.data.y, data.y, p.n);
    }
    if (part.rows.empty()) continue;
    part.problem = p;
    part.problem.adapters = 0;
    part.problem.m = static_cast<std::int64_t>(part.rows.size());
    part.problem.rank = own.rank;
    part.data.a = own.a;
    part.data.b = own.b;
    part.data.g = own.g;
    part.data.scale = data.scale;
    part.data.slice_scale = own.slice_scale;
    parts.push_back(std::move(part));
  }
  return parts;
}

std::string_view to_string(Fill fill) {
  constexpr std::string_view kNames[] = {"exact", "real", "nan_row", "overflow"};
  return kNames[static_cast<unsigned>(fill)];
}

CaseData make_data(const Case& problem_case) {
  if (problem_case.problem.adapters > 0) return pool_data(problem_case);
  const Problem& p = problem_case.problem;
  std::mt19937_64 random(problem_case.seed);
  if (problem_case.fill == Fill::exact) return exact_data(p, random);
  if (problem_case.fill == Fill::overflow) {
    CaseData data = exact_data(p, random);
    // Powers of two stay exact; from 2^14 * 2^2 on every non-zero result is past f16's 65504.
    for (float& value : data.x) value *= 16384.0F;
    data.scale = 8.0F;
    return data;
  }
  CaseData data = real_data(p, random);
  if (!problem_case.weights.path.empty()) {
    ModuleWeights weights = module_weights(problem_case.weights, weights_dtype(p));
    data.a = std::move(weights.a);
    data.b = std::move(weights.b);
    data.scale = weights.scale;
  }
  if (problem_case.fill == Fill::nan_row && p.m > 0) {
    data.x[static_cast<std::size_t>(p.m / 2 * p.k + p.k - 1)] = std::nanf("");
    constexpr std::uint32_t kAllOnes = 0x7fffffff;
    if (p.dtype == Dtype::bf16) {
      data.b[static_cast<std::size_t>(p.n / 2 * p.rank)] =
          round_to(weights_dtype(p), std::bit_cast<float>(kAllOnes));
    }
  }
  return data;
}

Oracle run_oracle(const Problem& p, const CaseData& data) {
  Oracle oracle;
  oracle.value.resize(data.y.size());
  oracle.magnitude.resize(data.y.size());
  if (data.y.empty()) return oracle;
  if (p.adapters > 0) {
    oracle.value.assign(data.y.begin(), data.y.end());
    for (const AdapterPart& part : adapter_parts(p, data)) {
      const Oracle of_part = run_oracle(part.problem, part.data);
      for (std::size_t i = 0; i < part.rows.size(); ++i) {
        const auto from = static_cast<std::int64_t>(i) * p.n;
        const std::int64_t to = part.rows[i] * p.n;
        std::copy_n(of_part.value.begin() + from, p.n, oracle.value.begin() + to);
        std::copy_n(of_part.magnitude.begin() + from, p.n, oracle.magnitude.begin() + to);
      }
    }
    return oracle;
  }
  const auto widen = [](const std::vector<float>& values, bool absolute) {
    std::vector<double> wide(values.begin(), values.end());
    if (absolute) {
      for (double& value : wide) value = std::fabs(value);
    }
    return wide;
  };
  for (const bool absolute : {false, true}) {
    const std::vector<double> x = widen(data.x, absolute);
    const std::vector<double> a = widen(data.a, absolute);
    const std::vector<double> b = widen(data.b, absolute);
    std::vector<double> h(count(p.m, p.rank));
    std::vector<double>& y = absolute ? oracle.magnitude : oracle.value;
    if (p.accumulate) y = widen(data.y, absolute);
    const auto m = static_cast<int>(p.m);
    const auto k = static_cast<int>(p.k);
    const auto n = static_cast<int>(p.n);
    std::int64_t column = 0;
    for (int i = 0; i < slice_count(p); ++i) {
      const double product = data.scale * data.slice_scale[static_cast<unsigned>(i)];
      const double scale = absolute ? std::fabs(product) : product;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, p.rank, k, 1.0, x.data(), k,
                  a.data() + i * p.rank * p.k, k, 0.0, h.data(), p.rank);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, static_cast<int>(slice_columns(p, i)),
                  p.rank, scale, h.data(), p.rank, b.data() + column * p.rank, p.rank,
                  p.accumulate ? 1.0 : 0.0, y.data() + column, n);
      column += slice_columns(p, i);
    }
    for (std::size_t i = 0; p.dora && i < y.size(); ++i) {
      const double factor = data.g[i % data.g.size()];
      y[i] *= absolute ? std::fabs(factor) : factor;
    }
  }
  return oracle;
}

double unit_roundoff(Dtype dtype) {
  if (dtype == Dtype::f32) return 0x1p-24;
  return dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
}

double overflow_of(Dtype dtype) {
  if (dtype == Dtype::f32) return 0x1.ffffffp127;
  return dtype == Dtype::f16 ? 65520.0 : 0x1.ffp127;
}

double bound(const Problem& p, double value, double magnitude) {
  const double unit_f32 = unit_roundoff(Dtype::f32);
  const double unit = unit_roundoff(p.dtype);
  const double sums =
      kBoundFactor * unit_f32 * std::sqrt(static_cast<double>(p.k + p.rank)) * magnitude;
  if (p.dtype == Dtype::f32) return sums + unit * std::fabs(value) + 0x1p-150;
  const double half_step = p.dtype == Dtype::f16 ? 0x1p-25 : 0x1p-134;  // of the subnormals
  return sums + std::max(unit * (std::fabs(value) + sums), half_step);
}

std::vector<unsigned char> to_storage(Dtype dtype, const std::vector<float>& values) {
  std::vector<unsigned char> storage(values.size() *
                                     static_cast<std::size_t>(element_bytes(dtype)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    store_element(dtype, storage.data(), static_cast<std::int64_t>(i), values[i]);
  }
  return storage;
}

}  // namespace loratune
