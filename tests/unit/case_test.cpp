// The exact fill's promise is that any order of summation gives the oracle's bits; the tests
// compute in several orders, and count what the fill may hold.
#include "harness/check/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>

#include "variants/internal/planning.h"

namespace loratune {
namespace {

struct Shape {
  std::int64_t m, k, n;
  int rank;
};

constexpr Shape kShapes[] = {
    {1, 1, 1, 1},     {2, 1, 3, 1},     {3, 2, 5, 3},       {5, 16, 7, 32},  {5, 17, 7, 33},
    {4, 563, 11, 25}, {3, 4097, 5, 64}, {2, 4097, 3, 1024}, {7, 64, 9, 256}, {3, 31, 6, 1024}};

std::vector<Case> cases_of(Fill fill) {
  std::vector<Case> cases;
  for (const Shape& shape : kShapes) {
    for (const Types types : {Types(Dtype::f32), Types(Dtype::f16), Types(Dtype::bf16),
                              Types(Dtype::f32, Dtype::bf16), Types(Dtype::bf16, Dtype::f32)}) {
      for (const bool accumulate : {false, true}) {
        Case made;
        made.problem.m = shape.m;
        made.problem.k = shape.k;
        made.problem.n = shape.n;
        made.problem.rank = shape.rank;
        set_types(made.problem, types);
        made.problem.accumulate = accumulate;
        made.fill = fill;
        made.seed = 7 + cases.size();
        cases.push_back(made);
      }
    }
  }
  return cases;
}

std::string name(const Case& one) {
  return to_string(one.problem) + " " + std::string(to_string(one.fill));
}

std::size_t at(std::int64_t row, std::int64_t cols, std::int64_t column) {
  return static_cast<std::size_t>(row * cols + column);
}

// Sums in the given orders of k and rank, `round` after every step.
template <class Round>
std::vector<float> evaluate(const Problem& p, const CaseData& data,
                            const std::vector<std::int64_t>& k_order,
                            const std::vector<std::int64_t>& rank_order, Round round) {
  std::vector<float> y = data.y;
  std::vector<float> h(static_cast<std::size_t>(p.rank));
  for (std::int64_t row = 0; row < p.m; ++row) {
    for (std::int64_t j = 0; j < p.rank; ++j) {
      float sum = 0;
      for (const std::int64_t i : k_order) {
        sum = round(sum + data.x[at(row, p.k, i)] * data.a[at(j, p.k, i)]);
      }
      h[static_cast<std::size_t>(j)] = sum;
    }
    for (std::int64_t column = 0; column < p.n; ++column) {
      float sum = 0;
      for (const std::int64_t j : rank_order) {
        sum = round(sum + round(h[static_cast<std::size_t>(j)] * data.b[at(column, p.rank, j)]));
      }
      float& out = y[at(row, p.n, column)];
      out = round_to(p.dtype, round((p.accumulate ? out : 0) + round(data.scale * sum)));
    }
  }
  return y;
}

std::vector<std::int64_t> forward(std::int64_t size) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

void expect_equal(const Case& one, const std::vector<float>& got, const Oracle& oracle,
                  const char* order) {
  ASSERT_EQ(got.size(), oracle.value.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(static_cast<double>(got[i]), oracle.value[i])
        << name(one) << " " << order << ", element " << i;
  }
}

TEST(ExactFill, GivesTheOraclesBitsInAnyOrder) {
  std::mt19937_64 random(3);
  for (const Case& one : cases_of(Fill::exact)) {
    const Problem& p = one.problem;
    const CaseData data = make_data(one);
    const Oracle oracle = run_oracle(p, data);
    const auto exact = [](float value) { return value; };
    auto k_order = forward(p.k);
    auto rank_order = forward(p.rank);
    expect_equal(one, evaluate(p, data, k_order, rank_order, exact), oracle, "forward");
    std::reverse(k_order.begin(), k_order.end());
    std::reverse(rank_order.begin(), rank_order.end());
    expect_equal(one, evaluate(p, data, k_order, rank_order, exact), oracle, "backward");
    std::shuffle(k_order.begin(), k_order.end(), random);
    std::shuffle(rank_order.begin(), rank_order.end(), random);
    expect_equal(one, evaluate(p, data, k_order, rank_order, exact), oracle, "random");
    const auto narrow = [&](float value) { return round_to(p.dtype, value); };
    expect_equal(one, evaluate(p, data, k_order, rank_order, narrow), oracle, "all in its type");
  }
}

TEST(ExactFill, KeepsItsLimits) {
  for (const Case& one : cases_of(Fill::exact)) {
    const Problem& p = one.problem;
    const auto of_type = [&](double f32, double f16, double bf16) {
      return p.dtype == Dtype::f32 ? f32 : p.dtype == Dtype::f16 ? f16 : bf16;
    };
    const CaseData data = make_data(one);
    for (const auto* signs : {&data.x, &data.a, &data.b}) {
      for (const float value : *signs) ASSERT_TRUE(value == 0 || std::fabs(value) == 1) << value;
    }
    for (const float value : data.y) {
      ASSERT_EQ(value, std::round(value));
      ASSERT_LE(std::fabs(value), 128);
    }
    EXPECT_TRUE(data.scale == 2 || data.scale == 0.5) << data.scale;
    for (std::int64_t row = 0; row < p.m; ++row) {
      double h = 0;
      for (std::int64_t i = 0; i < p.k; ++i) h += std::fabs(data.x[at(row, p.k, i)]);
      EXPECT_LE(h, of_type(0x1p12, 0x1p4, 0x1p3)) << name(one);
    }
    Problem product = p;
    product.accumulate = false;
    const Oracle oracle = run_oracle(product, data);
    for (const double magnitude : oracle.magnitude) {
      ASSERT_LE(magnitude / data.scale, of_type(0x1p22, 0x1p9, 0x1p6)) << name(one);
    }
  }
}

TEST(ExactFill, HasNonZerosInEveryTail) {
  for (const Case& one : cases_of(Fill::exact)) {
    const Problem& p = one.problem;
    const CaseData data = make_data(one);
    for (std::int64_t row = 0; row < p.m; ++row) {
      EXPECT_NE(data.x[at(row, p.k, 0)], 0) << name(one);
      EXPECT_NE(data.x[at(row, p.k, p.k - 1)], 0) << name(one);
    }
    for (const float value : data.a) ASSERT_NE(value, 0) << name(one);
    for (std::int64_t column = 0; column < p.n; ++column) {
      EXPECT_NE(data.b[at(column, p.rank, 0)], 0) << name(one);
      EXPECT_NE(data.b[at(column, p.rank, p.rank - 1)], 0) << name(one);
    }
  }
}

TEST(ExactFill, TellsADroppedTailOfKOrRank) {
  for (const Case& one : cases_of(Fill::exact)) {
    const Problem& p = one.problem;
    const CaseData data = make_data(one);
    const Oracle oracle = run_oracle(p, data);
    const auto exact = [](float value) { return value; };
    for (const bool of_k : {true, false}) {
      auto k_order = forward(p.k);
      auto rank_order = forward(p.rank);
      (of_k ? k_order : rank_order).pop_back();
      const auto got = evaluate(p, data, k_order, rank_order, exact);
      EXPECT_FALSE(std::equal(got.begin(), got.end(), oracle.value.begin()))
          << name(one) << (of_k ? ", k" : ", rank");
    }
  }
}

TEST(EveryFill, HoldsValuesOfTheDtypeAndRepeatsItselfBySeed) {
  for (const Fill fill : {Fill::exact, Fill::real, Fill::overflow}) {
    for (const Case& one : cases_of(fill)) {
      const CaseData data = make_data(one);
      const Types types = types_of(one.problem);
      for (const auto& [values, type] :
           {std::pair(&data.x, types.data), std::pair(&data.y, types.data),
            std::pair(&data.a, types.weights), std::pair(&data.b, types.weights)}) {
        for (const float value : *values) ASSERT_EQ(round_to(type, value), value) << name(one);
      }
      EXPECT_EQ(make_data(one).x, data.x);
      Case other = one;
      other.seed += 1000;
      if (data.x.size() + data.y.size() > 40) {
        const CaseData second = make_data(other);
        EXPECT_TRUE(second.x != data.x || second.y != data.y) << name(one);
      }
    }
  }
}

TEST(NanRow, SpoilsThatRowAndNoOther) {
  for (const Case& one : cases_of(Fill::nan_row)) {
    const Problem& p = one.problem;
    const CaseData data = make_data(one);
    EXPECT_EQ(std::count_if(data.x.begin(), data.x.end(), [](float v) { return std::isnan(v); }),
              1);
    if (types_of(p) == Types(Dtype::bf16, Dtype::f32)) {
      const float spoiling = data.b[at(p.n / 2, p.rank, 0)];
      EXPECT_EQ(std::bit_cast<std::uint32_t>(spoiling), 0x7fffffffU);
    }
    const Oracle oracle = run_oracle(p, data);
    for (std::int64_t row = 0; row < p.m; ++row) {
      for (std::int64_t column = 0; column < p.n; ++column) {
        // Of bf16 B has a NaN too, whose bits are all ones where they are stored whole.
        const bool spoiled = row == p.m / 2 || (p.dtype == Dtype::bf16 && column == p.n / 2);
        ASSERT_EQ(std::isnan(oracle.value[at(row, p.n, column)]), spoiled) << name(one);
      }
    }
  }
}

TEST(Overflow, LeavesHalfOrAddsNothing) {
  for (const Case& one : cases_of(Fill::overflow)) {
    if (one.problem.dtype != Dtype::f16) continue;
    const CaseData data = make_data(one);
    const Oracle oracle = run_oracle(one.problem, data);
    int beyond = 0;
    for (std::size_t i = 0; i < oracle.value.size(); ++i) {
      const double added = oracle.value[i] - (one.problem.accumulate ? data.y[i] : 0);
      if (added == 0) continue;
      ++beyond;
      ASSERT_TRUE(std::isinf(round_to(Dtype::f16, static_cast<float>(oracle.value[i]))))
          << name(one) << " " << oracle.value[i];
    }
    EXPECT_GT(beyond, 0) << name(one);
  }
}

TEST(Oracle, AgreesWithPlainLoops) {
  for (const Case& one : cases_of(Fill::real)) {
    const Problem& p = one.problem;
    const CaseData data = make_data(one);
    const Oracle oracle = run_oracle(p, data);
    for (std::int64_t row = 0; row < p.m; ++row) {
      std::vector<double> h(static_cast<std::size_t>(p.rank));
      std::vector<double> h_abs(h.size());
      for (std::int64_t j = 0; j < p.rank; ++j) {
        for (std::int64_t i = 0; i < p.k; ++i) {
          const double term = static_cast<double>(data.x[at(row, p.k, i)]) * data.a[at(j, p.k, i)];
          h[static_cast<std::size_t>(j)] += term;
          h_abs[static_cast<std::size_t>(j)] += std::fabs(term);
        }
      }
      for (std::int64_t column = 0; column < p.n; ++column) {
        const std::size_t here = at(row, p.n, column);
        double value = 0;
        double magnitude = 0;
        for (std::size_t j = 0; j < h.size(); ++j) {
          const double b = data.b[at(column, p.rank, static_cast<std::int64_t>(j))];
          value += h[j] * b;
          magnitude += h_abs[j] * std::fabs(b);
        }
        value *= data.scale;
        magnitude *= std::fabs(data.scale);
        if (p.accumulate) value += data.y[here];
        if (p.accumulate) magnitude += std::fabs(data.y[here]);
        ASSERT_NEAR(oracle.value[here], value, 1e-12 * magnitude) << name(one);
        ASSERT_NEAR(oracle.magnitude[here], magnitude, 1e-12 * magnitude) << name(one);
      }
    }
  }
}

TEST(Bound, IsPositiveEvenWhereAllIsZero) {
  for (const Case& one : cases_of(Fill::real)) {
    const double nothing = bound(one.problem, 0, 0);
    EXPECT_GT(nothing, 0) << name(one);
    EXPECT_LT(nothing, 1e-7);
    EXPECT_GT(bound(one.problem, 0, 1), nothing);
    EXPECT_GT(bound(one.problem, 1, 0), nothing);
    EXPECT_EQ(bound(one.problem, -1, 3), bound(one.problem, 1, 3));
  }
}

TEST(Bound, IsTheStatedFormula) {
  Problem p;
  p.k = 21;
  p.rank = 4;
  p.dtype = Dtype::f32;
  EXPECT_NEAR(bound(p, 0, 10), kBoundFactor * 0x1p-24 * 5 * 10, 1e-15);
  EXPECT_NEAR(bound(p, 3, 0), 3 * 0x1p-24, 1e-15);
  p.dtype = Dtype::f16;
  EXPECT_NEAR(bound(p, 3, 0), 3 * 0x1p-11, 1e-15);
  p.dtype = Dtype::bf16;
  EXPECT_NEAR(bound(p, 3, 0), 3 * 0x1p-8, 1e-15);
  EXPECT_EQ(bound(p, 0, 0), 0x1p-134);
  p.weights = Dtype::f16;  // rounded before the product
  EXPECT_NEAR(bound(p, 3, 0), 3 * 0x1p-8, 1e-15);
}

TEST(Storage, RoundsToNearestEvenAndKeepsSpecials) {
  const std::pair<float, float> halves[] = {
      {0.0F, 0.0F},         {1.0F, 1.0F},         {2049.0F, 2048.0F},     {2051.0F, 2052.0F},
      {65504.0F, 65504.0F}, {65519.0F, 65504.0F}, {65520.0F, INFINITY},   {-65520.0F, -INFINITY},
      {0x1p-24F, 0x1p-24F}, {0x1p-25F, 0.0F},     {0x1.8p-24F, 0x1p-23F}, {-INFINITY, -INFINITY}};
  std::vector<float> values;
  for (const auto& [value, rounded] : halves) values.push_back(value);
  const auto storage = to_storage(Dtype::f16, values);
  ASSERT_EQ(storage.size(), 2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(load_element(Dtype::f16, storage.data(), static_cast<std::int64_t>(i)),
              halves[i].second)
        << values[i];
  }
  const std::pair<float, float> bfloats[] = {{1.0F, 1.0F},
                                             {0x1.01p0F, 0x1p0F},
                                             {0x1.03p0F, 0x1.04p0F},
                                             {257.0F, 256.0F},
                                             {259.0F, 260.0F},
                                             {0x1.018p0F, 0x1.02p0F},
                                             {-0x1.03p0F, -0x1.04p0F},
                                             {0x1.fefffep127F, 0x1.fep127F},
                                             {0x1.ffp127F, INFINITY},
                                             {-3.4e38F, -INFINITY},
                                             {0x1p-133F, 0x1p-133F},
                                             {0x1p-134F, 0.0F}};
  for (const auto& [value, rounded] : bfloats) {
    const auto stored = to_storage(Dtype::bf16, {value});
    ASSERT_EQ(stored.size(), 2U);
    EXPECT_EQ(load_element(Dtype::bf16, stored.data(), 0), rounded) << value;
    EXPECT_EQ(round_to(Dtype::bf16, value), rounded) << value;
  }
  for (const std::uint32_t bits : {0x7fffffffU, 0x7f800001U, 0xff800001U, 0xffffffffU}) {
    const auto nan = to_storage(Dtype::bf16, {std::bit_cast<float>(bits)});
    EXPECT_TRUE(std::isnan(load_element(Dtype::bf16, nan.data(), 0))) << bits;
  }
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16, Dtype::f32}) {
    const auto nan = to_storage(dtype, {1.0F, std::nanf("")});
    EXPECT_TRUE(std::isnan(load_element(dtype, nan.data(), 1)));
    EXPECT_EQ(load_element(dtype, nan.data(), 0), 1.0F);
  }
  const auto floats = to_storage(Dtype::f32, {0x1.234568p-126F, 3.25F});
  EXPECT_EQ(load_element(Dtype::f32, floats.data(), 0), 0x1.234568p-126F);
}

}  // namespace
}  // namespace loratune
