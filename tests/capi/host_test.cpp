// Products on the host through the C interface, beside plain sums in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

#include "c_api.h"

namespace {

thread_local bool no_memory = false;  // of cache lines, as the host's sums stand in

}  // namespace

// In the place of the library's, for the shared library too.
void* operator new(std::size_t bytes, std::align_val_t align) {
  const auto whole = static_cast<std::size_t>(align);
  void* const memory =
      no_memory ? nullptr : std::aligned_alloc(whole, (bytes + whole - 1) / whole * whole);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace loratune {
namespace {

constexpr std::int64_t kM = 5, kK = 70, kN = 33;
constexpr int kRank = 6;

std::vector<float> numbers(std::int64_t count, unsigned seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 20U) / 2048.0F - 1.0F;
  }
  return values;
}

class CHost : public testing::Test {
 protected:
  CHost()
      : a_(numbers(kRank * kK, 1)),
        b_(numbers(kN * kRank, 2)),
        x_(numbers(kM * kK, 3)),
        y_(numbers(kM * kN, 4)) {
    auto source = zeroed<loratune_weights_source>();
    source.k = kK;
    source.n = kN;
    source.rank = kRank;
    source.a = a_.data();
    source.a_bytes = 4 * a_.size();
    source.b = b_.data();
    source.b_bytes = 4 * b_.size();
    EXPECT_EQ(loratune_host_weights_create(&source, &weights_, nullptr), LORATUNE_SUCCESS);
    EXPECT_EQ(loratune_host_session_create(2, &session_, nullptr), LORATUNE_SUCCESS);
    problem_ = zeroed<loratune_problem>();
    problem_.m = kM;
    problem_.k = kK;
    problem_.n = kN;
    problem_.rank = kRank;
  }
  ~CHost() override {
    loratune_host_weights_destroy(weights_);
    loratune_host_session_destroy(session_);
  }
  CHost(const CHost&) = delete;
  CHost& operator=(const CHost&) = delete;

  loratune_host_call call() {
    auto call = zeroed<loratune_host_call>();
    call.scale = 0.5F;
    call.problem = &problem_;
    call.weights = weights_;
    call.x = x_.data();
    call.x_bytes = 4 * x_.size();
    call.y = y_.data();
    call.y_bytes = 4 * y_.size();
    return call;
  }

  std::vector<float> a_, b_, x_, y_;
  loratune_host_weights* weights_ = nullptr;
  loratune_host_session* session_ = nullptr;
  loratune_problem problem_{};
};

TEST_F(CHost, GivesTheProduct) {
  const std::vector<float> before = y_;
  const loratune_host_call given = call();
  Text detail;
  ASSERT_EQ(loratune_forward_host(session_, &given, detail.out()), LORATUNE_SUCCESS)
      << detail.str();
  const auto at = [](const std::vector<float>& values, std::int64_t i) {
    return static_cast<double>(values[static_cast<std::size_t>(i)]);
  };
  for (std::int64_t i = 0; i < kM; ++i) {
    for (std::int64_t j = 0; j < kN; ++j) {
      double sum = 0;
      for (std::int64_t r = 0; r < kRank; ++r) {
        double h = 0;
        for (std::int64_t l = 0; l < kK; ++l) h += at(x_, i * kK + l) * at(a_, r * kK + l);
        sum += h * at(b_, j * kRank + r);
      }
      const double wanted = at(before, i * kN + j) + 0.5 * sum;
      ASSERT_NEAR(at(y_, i * kN + j), wanted, 1e-5 * (1 + std::abs(wanted)));
    }
  }
  EXPECT_STRNE(loratune_host_instruction_set(), "");
}

TEST_F(CHost, RefusesWhatDoesNotFitAndTouchesNothing) {
  const std::vector<float> before = y_;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::pair<std::function<void(loratune_host_call&)>, std::int32_t> faults[] = {
      {[](auto& c) { c.x_bytes -= 4; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.y_bytes = 0; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_x = kMost; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_y = kN - 1; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.ld_y = -kN; }, LORATUNE_INVALID_OPERANDS},
      {[](auto& c) { c.x = nullptr; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.y = nullptr; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.weights = nullptr; }, LORATUNE_NULL_POINTER},
      {[](auto& c) { c.problem = nullptr; }, LORATUNE_NULL_POINTER}};
  for (const auto& [plant, status] : faults) {
    loratune_host_call given = call();
    plant(given);
    Text detail;
    EXPECT_EQ(loratune_forward_host(session_, &given, detail.out()), status);
    EXPECT_NE(detail.str(), "");
  }
  const loratune_host_call given = call();
  problem_.rank = kRank - 1;
  EXPECT_EQ(loratune_forward_host(session_, &given, nullptr), LORATUNE_INVALID_OPERANDS);
  problem_.rank = kRank;
  problem_.m = kM + 1;
  EXPECT_EQ(loratune_forward_host(session_, &given, nullptr), LORATUNE_INVALID_OPERANDS);
  EXPECT_EQ(y_, before);
  expect_sizes_refused<loratune_host_call>(
      [&](loratune_host_call* bad) { return loratune_forward_host(session_, bad, nullptr); });
  loratune_host_session* none = nullptr;
  EXPECT_EQ(loratune_host_session_create(-1, &none, nullptr), LORATUNE_INVALID_VALUE);
  EXPECT_EQ(loratune_host_session_create(1 << 30, &none, nullptr), LORATUNE_INVALID_VALUE);
  EXPECT_EQ(loratune_forward_host(nullptr, &given, nullptr), LORATUNE_NULL_POINTER);
  loratune_host_weights_destroy(nullptr);
  loratune_host_session_destroy(nullptr);
}

// Whatever x and y are: they are not looked at.
// Rows of x and y may lie beside one another in one matrix, and share nothing else.
TEST_F(CHost, RefusesRowsThatOverlapAndNoneThatLieSideBySide) {
  const std::int64_t width = kK + kN;
  std::vector<float> both(static_cast<std::size_t>(kM * width), 0.25F);
  for (std::int64_t row = 0; row < kM; ++row) {
    std::copy_n(&x_[static_cast<std::size_t>(row * kK)], kK,
                &both[static_cast<std::size_t>(row * width)]);
    std::copy_n(&y_[static_cast<std::size_t>(row * kN)], kN,
                &both[static_cast<std::size_t>(row * width + kK)]);
  }
  auto call = this->call();
  ASSERT_EQ(loratune_forward_host(session_, &call, nullptr), LORATUNE_SUCCESS);
  call.x = both.data();
  call.ld_x = call.ld_y = width;
  call.x_bytes = 4 * both.size();
  const auto at = [&](std::int64_t first) {
    call.y = &both[static_cast<std::size_t>(first)];
    call.y_bytes = 4 * (both.size() - static_cast<std::size_t>(first));
    return loratune_forward_host(session_, &call, nullptr);
  };
  EXPECT_EQ(at(kK - 1), LORATUNE_INVALID_OPERANDS);
  EXPECT_EQ(at(0), LORATUNE_INVALID_OPERANDS);
  ASSERT_EQ(at(kK), LORATUNE_SUCCESS);
  for (std::int64_t row = 0; row < kM; ++row) {
    for (std::int64_t c = 0; c < kN; ++c) {
      EXPECT_EQ(both[static_cast<std::size_t>(row * width + kK + c)],
                y_[static_cast<std::size_t>(row * kN + c)]);
    }
  }
}

TEST_F(CHost, HasNoSlicesAdaptersOrDora) {
  const std::vector<float> before = y_;
  const std::function<void(loratune_problem&)> faults[] = {[](auto& p) { p.dora = 1; },
                                                           [](auto& p) { p.adapters = 2; },
                                                           [](auto& p) {
                                                             p.slice_count = 2;
                                                             p.slice_n[0] = 20;
                                                             p.slice_n[1] = 13;
                                                           }};
  for (const auto& plant : faults) {
    for (const std::int64_t m : {kM, std::int64_t{1000}}) {
      const loratune_problem sound = problem_;
      plant(problem_);
      problem_.m = m;
      const loratune_host_call given = call();
      Text detail;
      EXPECT_EQ(loratune_forward_host(session_, &given, detail.out()), LORATUNE_UNSUPPORTED);
      EXPECT_NE(detail.str(), "");
      problem_ = sound;
    }
  }
  EXPECT_EQ(y_, before);
}

TEST_F(CHost, TellsThatThereIsNoMemory) {
  const std::vector<float> before = y_;
  const loratune_host_call given = call();
  Text detail;
  no_memory = true;
  const std::int32_t status = loratune_forward_host(session_, &given, detail.out());
  no_memory = false;
  EXPECT_EQ(status, LORATUNE_OUT_OF_MEMORY);
  EXPECT_EQ(detail.str(), "no memory");
  EXPECT_EQ(y_, before);
  EXPECT_EQ(loratune_forward_host(session_, &given, nullptr), LORATUNE_SUCCESS);
  EXPECT_NE(y_, before);
}

}  // namespace
}  // namespace loratune
