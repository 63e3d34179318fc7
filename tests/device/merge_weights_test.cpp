// An adapter merged into weights that stand on the device, against plain double arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "loratune/layers/merge.h"
#include "test_engine.h"

namespace loratune {
namespace {

constexpr std::int64_t kOut = 37, kIn = 203, kRank = 6;
constexpr std::int64_t kOff = 5, kPitch = kIn + 3;

class MergedWeights : public testing::Test {
 protected:
  MergedWeights() : layer_(make_lora_linear(kIn, kOut, kRank, 9, Element::f32, 4)) {
    std::normal_distribution<float> normal;
    for (float& value : layer_.b) value = normal(random_);
    for (float& value : layer_.a) value = normal(random_);
  }

  // Numbers of the type for all of a buffer of the weights.
  std::vector<float> numbers(Dtype dtype) {
    std::normal_distribution<float> normal;
    std::vector<float> values(kOff + kOut * kPitch);
    for (float& value : values) value = rounded(element_of(dtype), normal(random_));
    return values;
  }

  WeightMatrix matrix(const Handle<cl_mem>& buffer, Dtype dtype) {
    return {buffer.get(), dtype, kOut, kIn, kOff, kPitch};
  }

  Handle<cl_mem> upload(Dtype dtype, const std::vector<float>& values) {
    return test_buffer(from_floats(element_of(dtype), values));
  }

  std::vector<std::byte> bytes_of(const Handle<cl_mem>& buffer) {
    std::vector<std::byte> bytes(buffer_bytes(buffer.get()));
    read_buffer(queue_.get(), buffer.get(), 0, bytes.size(), bytes.data());
    return bytes;
  }

  std::mt19937 random_{3};
  LoraLinear layer_;
  Dispatcher dispatcher_{test_engine().info()};
  Merge merge_{test_engine(), dispatcher_};
  Handle<cl_command_queue> queue_ = test_queue();
};

class MergeWeights : public MergedWeights, public testing::WithParamInterface<Dtype> {};

// One rounding of the result, and of the sum in float.
double tolerance(Dtype dtype, double value) {
  const double unit = dtype == Dtype::f32 ? 0x1p-22 : dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
  return unit * std::fabs(value) + 2e-5;
}

TEST_P(MergeWeights, AddsTheAdapterAndACopyBringsThemBack) {
  const Dtype dtype = GetParam();
  if (dispatcher_.pick(Merge::problem_of(layer_, dtype)).variant == nullptr) {
    GTEST_SKIP() << "no variant runs " << to_string(Merge::problem_of(layer_, dtype));
  }
  const std::vector<float> before = numbers(dtype);
  const Handle<cl_mem> w = upload(dtype, before);
  const Handle<cl_mem> kept = upload(dtype, numbers(dtype));
  const std::vector<std::byte> bytes = bytes_of(w);
  copy_weights(queue_.get(), matrix(w, dtype), matrix(kept, dtype));
  const double factor = -0.75;
  merge_.merge(queue_.get(), layer_, matrix(w, dtype), factor);
  const std::vector<float> after = to_floats(element_of(dtype), bytes_of(w));
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(after.size()); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t row = (i - kOff) / kPitch;
    const std::int64_t column = (i - kOff) % kPitch;
    if (i < kOff || column >= kIn) {
      EXPECT_EQ(after[at], before[at]) << "beside the weights";
      continue;
    }
    double sum = 0;
    for (std::int64_t j = 0; j < kRank; ++j) {
      sum += static_cast<double>(layer_.b[static_cast<std::size_t>(row * kRank + j)]) *
             layer_.a[static_cast<std::size_t>(j * kIn + column)];
    }
    const double want = before[at] + factor * layer_.scale * sum;
    ASSERT_NEAR(after[at], want, tolerance(dtype, want)) << "W[" << row << "," << column << "]";
  }
  copy_weights(queue_.get(), matrix(kept, dtype), matrix(w, dtype));
  EXPECT_EQ(bytes_of(w), bytes);
}

// B may be far below the least number of W's type or beyond its largest, as long as W is not.
TEST_P(MergeWeights, AreRightHoweverLargeTheNumbersOfBAre) {
  const Dtype dtype = GetParam();
  const std::vector<float> b = layer_.b;
  for (const double size : {1e-30, 1e-8, 1e-3, 1e6, 1e30}) {
    const Handle<cl_mem> w =
        upload(dtype, std::vector<float>(static_cast<std::size_t>(kOff + kOut * kPitch)));
    for (std::size_t i = 0; i < b.size(); ++i) {
      layer_.b[i] = static_cast<float>(static_cast<double>(b[i]) * size);
    }
    merge_.merge(queue_.get(), layer_, matrix(w, dtype), 1 / size);
    const std::vector<float> got = to_floats(element_of(dtype), bytes_of(w));
    for (std::int64_t row = 0; row < kOut; ++row) {
      for (std::int64_t column = 0; column < kIn; ++column) {
        double wanted = 0;
        for (std::int64_t j = 0; j < kRank; ++j) {
          wanted += layer_.scale / size *
                    static_cast<double>(layer_.b[static_cast<std::size_t>(row * kRank + j)]) *
                    static_cast<double>(layer_.a[static_cast<std::size_t>(j * kIn + column)]);
        }
        const auto at = static_cast<std::size_t>(kOff + row * kPitch + column);
        ASSERT_NEAR(static_cast<double>(got[at]), wanted, tolerance(dtype, wanted)) << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MergeWeights, testing::Values(Dtype::f32, Dtype::f16, Dtype::bf16),
                         [](const auto& one) { return std::string(to_string(one.param)); });

TEST_F(MergedWeights, OfOtherExtentsOrTooSmallABufferIsRefused) {
  const std::vector<float> before = numbers(Dtype::f32);
  const Handle<cl_mem> w = upload(Dtype::f32, before);
  const std::vector<std::byte> bytes = bytes_of(w);
  WeightMatrix matrix_of = matrix(w, Dtype::f32);
  matrix_of.out = kOut - 1;
  EXPECT_THROW(merge_.merge(queue_.get(), layer_, matrix_of), std::invalid_argument);
  matrix_of = matrix(w, Dtype::f32);
  matrix_of.off = kOff + 4;
  EXPECT_THROW(merge_.merge(queue_.get(), layer_, matrix_of), std::invalid_argument);
  EXPECT_THROW(copy_weights(queue_.get(), matrix(w, Dtype::f32), matrix_of), std::invalid_argument);
  matrix_of = matrix(w, Dtype::f32);
  matrix_of.ld = kIn - 1;
  EXPECT_THROW(merge_.merge(queue_.get(), layer_, matrix_of), std::invalid_argument);
  EXPECT_EQ(bytes_of(w), bytes);
}

}  // namespace
}  // namespace loratune
