#include "loratune/host/forward_host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>
#include <tuple>

#include "host_case.h"
#include "unit/allocations.h"

namespace loratune {
namespace {

using host_case::Data;
using host_case::Fill;
using host_case::Memory;

constexpr Dtype kDtypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};

Problem problem_of(std::int64_t m, std::int64_t k, std::int64_t n, int rank,
                   Dtype dtype = Dtype::f32, Dtype weights = Dtype::f32, bool accumulate = true) {
  Problem problem;
  problem.dtype = dtype;
  problem.accumulate = accumulate;
  problem.m = m;
  problem.k = k;
  problem.n = n;
  problem.rank = rank;
  if (weights != dtype) problem.weights = weights;
  return problem;
}

HostWeights pack(const Problem& p, const Data& data,
                 const host::Kernels& kernels = host::best_kernels()) {
  const auto a = host_case::stored(weights_dtype(p), data.a);
  const auto b = host_case::stored(weights_dtype(p), data.b);
  HostWeights::Packed packed = host::pack_for(kernels, p, a.data(), b.data());
  EXPECT_EQ(packed.why, "");
  return std::move(*packed.weights);
}

// y's bytes after a run that was right.
std::vector<unsigned char> run(const Problem& p, const Data& data, Fill fill, HostSession& session,
                               const host::Kernels& kernels = host::best_kernels(),
                               std::int64_t pad_x = 0, std::int64_t pad_y = 0) {
  Memory memory(p, data, pad_x, pad_y);
  const auto x = memory.x;
  EXPECT_EQ(forward_host(p, pack(p, data, kernels), memory.operands(data.scale), session), "");
  EXPECT_EQ(host_case::wrong(memory, data, fill), "")
      << to_string(p) << " on " << kernels.name << ", " << session.threads() << " threads";
  EXPECT_EQ(memory.x, x);
  return memory.y;
}

TEST(HostCase, TheCheckFindsWhatIsPlanted) {
  const Problem p = problem_of(3, 70, 50, 20);
  for (const Fill fill : {Fill::exact, Fill::real, Fill::nan_row}) {
    const Data data = host_case::make_data(p, fill, 19);
    HostSession session;
    Memory good(p, data, 2, 3);
    ASSERT_EQ(forward_host(p, pack(p, data), good.operands(data.scale), session), "");
    ASSERT_EQ(host_case::wrong(good, data, fill), "");
    const auto planted = [&](std::int64_t row, std::int64_t column, float value) {
      Memory bad = good;
      std::memcpy(bad.y.data() + (Memory::kGuard + row * bad.ld_y + column) * 4, &value, 4);
      return host_case::wrong(bad, data, fill);
    };
    EXPECT_NE(planted(2, 49, good.at(2, 49) + 0.5F), "") << "an element that is off";
    EXPECT_NE(planted(0, 0, data.y[0]), "") << "an element that was left as it was";
    EXPECT_NE(planted(2, 7, std::nanf("")), "") << "a NaN that spread";
    EXPECT_NE(planted(1, 50, 0), "") << "a gap that was written";
    EXPECT_NE(planted(0, -1, 0), "") << "a guard that was written";
  }
  const Data data = host_case::make_data(p, Fill::real, 21);
  Data without_tail = data;
  for (std::int64_t i = 0; i < p.m; ++i) without_tail.x[static_cast<std::size_t>(i * 70 + 69)] = 0;
  HostSession session;
  Memory memory(p, without_tail, 0, 0);
  ASSERT_EQ(forward_host(p, pack(p, data), memory.operands(data.scale), session), "");
  EXPECT_NE(host_case::wrong(memory, data, Fill::real), "") << "a tail of k that was dropped";
}

using Group = std::tuple<const host::Kernels*, Dtype, Dtype, bool>;
class ForwardHost : public testing::TestWithParam<Group> {};

TEST_P(ForwardHost, IsRightOnBoundaryShapesWithEveryFill) {
  const auto& [kernels, dtype, weights, accumulate] = GetParam();
  HostSession alone;
  HostSession three(3);
  const std::array<std::int64_t, 4> shapes[] = {
      {1, 1, 1, 1},     {2, 13, 15, 3},  {3, 15, 16, 4},   {1, 16, 17, 15},   {4, 17, 31, 16},
      {5, 67, 35, 17},  {6, 3, 33, 31},  {7, 131, 67, 32}, {9, 2, 49, 33},    {17, 257, 129, 25},
      {1, 70, 300, 48}, {2, 61, 97, 64}, {65, 40, 50, 8},  {130, 31, 20, 20}, {3, 5, 260, 130}};
  int seed = 0;
  for (const auto& [m, k, n, rank] : shapes) {
    const Problem p = problem_of(m, k, n, static_cast<int>(rank), dtype, weights, accumulate);
    for (const Fill fill : {Fill::exact, Fill::real, Fill::nan_row, Fill::overflow}) {
      const Data data = host_case::make_data(p, fill, static_cast<std::uint64_t>(++seed));
      run(p, data, fill, alone, *kernels, seed % 3, seed % 5);
      run(p, data, fill, three, *kernels, seed % 2, seed % 7);
    }
  }
}

std::string group_name(const testing::TestParamInfo<Group>& info) {
  const auto& [kernels, dtype, weights, accumulate] = info.param;
  return std::string(kernels->name) + "_" + std::string(to_string(dtype)) + "_w_" +
         std::string(to_string(weights)) + (accumulate ? "_acc" : "_set");
}

INSTANTIATE_TEST_SUITE_P(All, ForwardHost,
                         testing::Combine(testing::ValuesIn(host::all_kernels()),
                                          testing::ValuesIn(kDtypes), testing::ValuesIn(kDtypes),
                                          testing::Bool()),
                         group_name);

TEST(ForwardHostOnly, EveryRankIsRight) {
  HostSession session(2);
  for (int rank = 1; rank <= 256; ++rank) {
    const Problem p = problem_of(3, 67, 35, rank, kDtypes[rank % 3], kDtypes[rank / 3 % 3]);
    run(p, host_case::make_data(p, Fill::exact, 1), Fill::exact, session);
  }
  const Problem most = problem_of(2, 67, 35, kMaxRank);
  run(most, host_case::make_data(most, Fill::real, 1), Fill::real, session);
}

// Work of which threads get a share: fewer rows than threads take, and many.
const Problem kShared[] = {problem_of(1, 2048, 2050, 64), problem_of(5, 1030, 1024, 200),
                           problem_of(3, 9000, 9000, 12), problem_of(200, 300, 333, 24),
                           problem_of(16, 1024, 1024, 64, Dtype::bf16, Dtype::f16)};

TEST(ForwardHostOnly, TheNumberOfThreadsDoesNotShowInTheBits) {
  for (const Problem& p : kShared) {
    const Data data = host_case::make_data(p, Fill::real, 3);
    HostSession alone;
    const auto bits = run(p, data, Fill::real, alone);
    for (const int threads : {2, 3, 8}) {
      HostSession session(threads);
      EXPECT_EQ(session.threads(), threads);
      EXPECT_EQ(run(p, data, Fill::real, session), bits) << to_string(p) << " " << threads;
    }
  }
}

TEST(ForwardHostOnly, TheOtherRowsOfABatchDoNotShowInTheBits) {
  HostSession session(2);
  for (const int rank : {4, 12, 16, 24, 64}) {
    const Problem all = problem_of(37, 515, 290, rank);
    const Data data = host_case::make_data(all, Fill::real, 5);
    const auto bits = run(all, data, Fill::real, session);
    Problem one = all;
    one.m = 1;
    for (std::int64_t row = 0; row < all.m; ++row) {
      Data alone = data;
      const auto slice = [&](const std::vector<float>& from, std::int64_t cols) {
        return std::vector<float>(from.begin() + row * cols, from.begin() + (row + 1) * cols);
      };
      alone.x = slice(data.x, all.k);
      alone.y = slice(data.y, all.n);
      const auto got = run(one, alone, Fill::real, session);
      const auto guard = static_cast<std::ptrdiff_t>(Memory::kGuard * 4);
      const auto bytes = static_cast<std::ptrdiff_t>(all.n * 4);
      EXPECT_TRUE(std::equal(got.begin() + guard, got.begin() + guard + bytes,
                             bits.begin() + guard + row * bytes))
          << "rank " << rank << ", row " << row;
    }
  }
}

// Whether it multiplies and adds with one rounding.
bool fuses(const host::Kernels& kernels) {
  return kernels.name.starts_with("AVX") || kernels.name.starts_with("NEON");
}

TEST(ForwardHostOnly, InstructionSetsThatFuseGiveTheSameBits) {
  std::vector<const host::Kernels*> fused;
  for (const host::Kernels* kernels : host::all_kernels()) {
    if (fuses(*kernels)) fused.push_back(kernels);
  }
  if (fused.size() < 2) GTEST_SKIP() << "this processor has one such instruction set or none";
  HostSession session;
  for (const Problem& p : kShared) {
    const Data data = host_case::make_data(p, Fill::real, 7);
    const auto bits = run(p, data, Fill::real, session, *fused[0]);
    for (const host::Kernels* kernels : fused) {
      EXPECT_EQ(run(p, data, Fill::real, session, *kernels), bits)
          << to_string(p) << " " << kernels->name;
    }
  }
}

// One number for the bits of y. The operands come from integers alone, so that they are the same
// whatever library a machine has.
std::uint64_t hash_of_bits(const Problem& p, const host::Kernels& kernels) {
  std::mt19937_64 random(23);
  Data data = host_case::make_data(p, Fill::exact, 1);
  for (auto* values : {&data.x, &data.a, &data.b, &data.y}) {
    for (float& value : *values) {
      value = static_cast<float>(static_cast<std::int64_t>(random() >> 40)) * 0x1p-23F - 1.0F;
    }
  }
  HostSession session;
  std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
  for (const unsigned char byte : run(p, data, Fill::real, session, kernels)) {
    hash = (hash ^ byte) * 0x100000001B3U;
  }
  return hash;
}

// x86 and ARM, each where it runs: the numbers are those of both.
TEST(ForwardHostOnly, TheBitsAreTheSameOnX86AndArm) {
  const host::Kernels& kernels = host::best_kernels();
  if (!fuses(kernels)) GTEST_SKIP() << kernels.name << " rounds products before it adds";
  EXPECT_EQ(hash_of_bits(problem_of(9, 1031, 250, 64), kernels), 17237499599107744953U);
  EXPECT_EQ(hash_of_bits(problem_of(5, 515, 300, 6), kernels), 13317498207662481115U);
}

// y = 1 * b, stored as bf16: all upper halves, beside ties, and every kind of NaN.
TEST(ForwardHostOnly, Bf16RoundsToNearestEvenAndKeepsNan) {
  std::vector<float> values;
  for (std::uint32_t upper = 0; upper < 0x10000; upper += 7) {
    for (const std::uint32_t lower : {0U, 1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  values.push_back(std::bit_cast<float>(0x7FFFFFFFU));
  values.push_back(std::bit_cast<float>(0x7F800001U));
  values.push_back(std::bit_cast<float>(0xFFFFFFFFU));
  const auto n = static_cast<std::int64_t>(values.size());
  const Problem p = problem_of(1, 1, n, 1, Dtype::bf16, Dtype::f32, false);
  const Data data = {{1}, {1}, values, std::vector<float>(values.size()), 1};
  HostSession session;
  for (const host::Kernels* kernels : host::all_kernels()) {
    Memory memory(p, data, 0, 0);
    ASSERT_EQ(forward_host(p, pack(p, data, *kernels), memory.operands(1), session), "");
    for (std::int64_t i = 0; i < n; ++i) {
      const float want = host_case::rounded(Dtype::bf16, values[static_cast<std::size_t>(i)]);
      const float got = memory.at(0, i);
      if (std::isnan(want) ? !std::isnan(got) : got != want) {
        ADD_FAILURE() << kernels->name << ": " << want << " became " << got;
        return;
      }
    }
  }
}

TEST(ForwardHostOnly, ThreadsOfTheCallersMayRunTheParts) {
  static int calls = 0;
  calls = 0;
  const auto backwards = [](void* user, int tasks, HostTask task, void* context) {
    ++*static_cast<int*>(user);
    for (int i = tasks - 1; i >= 0; --i) task(context, i);
  };
  const auto each_its_own = [](void*, int tasks, HostTask task, void* context) {
    std::vector<std::thread> threads;
    for (int i = 0; i < tasks; ++i) threads.emplace_back(task, context, i);
    for (std::thread& thread : threads) thread.join();
  };
  HostSession alone;
  HostSession first(HostExecutor{5, backwards, &calls});
  HostSession second(HostExecutor{3, each_its_own, nullptr});
  for (const Problem& p : kShared) {
    const Data data = host_case::make_data(p, Fill::real, 9);
    const auto bits = run(p, data, Fill::real, alone);
    EXPECT_EQ(run(p, data, Fill::real, first), bits);
    EXPECT_EQ(run(p, data, Fill::real, second), bits);
  }
  EXPECT_GT(calls, 0);
}

TEST(ForwardHostOnly, ThreadsWithASessionEachShareWeights) {
  const Problem p = problem_of(40, 512, 300, 24);
  const Data data = host_case::make_data(p, Fill::real, 11);
  const HostWeights weights = pack(p, data);
  std::vector<std::thread> threads;
  std::array<std::string, 8> found;
  for (std::string& what : found) {
    threads.emplace_back([&] {
      HostSession session(2);
      for (int call = 0; call < 20 && what.empty(); ++call) {
        Memory memory(p, data, 1, 2);
        what = forward_host(p, weights, memory.operands(data.scale), session);
        if (what.empty()) what = host_case::wrong(memory, data, Fill::real);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& what : found) EXPECT_EQ(what, "");
}

TEST(ForwardHostOnly, APoolOfEightThreadsComputesOftenAndRight) {
  HostSession session(8);
  for (int call = 0; call < 60; ++call) {
    const Problem& p = kShared[call % 2 == 0 ? 3 : 4];
    const Data data = host_case::make_data(p, Fill::exact, static_cast<std::uint64_t>(call));
    run(p, data, Fill::exact, session);
  }
}

TEST(ForwardHostOnly, AllocatesNothingOnceItHasMemory) {
  for (const int threads : {1, 3}) {
    HostSession session(threads);
    for (const Problem& p : kShared) {
      const Data data = host_case::make_data(p, Fill::real, 13);
      const HostWeights weights = pack(p, data);
      Memory memory(p, data, 0, 0);
      const HostOperands operands = memory.operands(data.scale);
      ASSERT_EQ(forward_host(p, weights, operands, session), "");
      const int before = allocations().count;
      for (int call = 0; call < 5; ++call) forward_host(p, weights, operands, session);
      EXPECT_EQ(allocations().count, before) << to_string(p) << " " << threads << " threads";
    }
  }
}

TEST(ForwardHostOnly, NoRowsAreNoWork) {
  const Problem p = problem_of(0, 8, 8, 4);
  HostSession session;
  EXPECT_EQ(forward_host(p, pack(p, host_case::make_data(p, Fill::real, 1)), {}, session), "");
}

TEST(ForwardHostOnly, UnpackedWeightsGiveTheSame) {
  const Problem p = problem_of(3, 70, 50, 20, Dtype::f16, Dtype::bf16);
  const Data data = host_case::make_data(p, Fill::real, 15);
  HostSession session;
  const auto bits = run(p, data, Fill::real, session);
  Memory memory(p, data, 0, 0);
  const auto a = host_case::stored(Dtype::bf16, data.a);
  const auto b = host_case::stored(Dtype::bf16, data.b);
  EXPECT_EQ(forward_host(p, a.data(), b.data(), memory.operands(data.scale)), "");
  EXPECT_EQ(memory.y, bits);
}

TEST(ForwardHostOnly, WhatDoesNotFitIsRefusedInWords) {
  const Problem p = problem_of(3, 70, 50, 20);
  const Data data = host_case::make_data(p, Fill::real, 17);
  const HostWeights weights = pack(p, data);
  HostSession session;
  Memory memory(p, data, 0, 0);
  const auto before = memory.y;
  const HostOperands good = memory.operands(1);
  const auto refused = [&](const Problem& problem, const HostOperands& operands,
                           const std::string& word) {
    const std::string why = forward_host(problem, weights, operands, session);
    EXPECT_NE(why.find(word), std::string::npos) << why;
    EXPECT_EQ(memory.y, before);
  };
  const auto with = [&](auto change) {
    HostOperands operands = good;
    change(operands);
    return operands;
  };
  refused(problem_of(-1, 70, 50, 20), good, "m = -1");
  refused(problem_of(3, 71, 50, 20), good, "weights are those of");
  refused(problem_of(3, 70, 51, 20), good, "weights are those of");
  refused(problem_of(3, 70, 50, 21), good, "weights are those of");
  refused(problem_of(3, 70, 50, 20, Dtype::f32, Dtype::f16), good, "weights are those of");
  refused(p, with([](HostOperands& o) { o.x = nullptr; }), "x is null");
  refused(p, with([](HostOperands& o) { o.y = nullptr; }), "y is null");
  refused(p, with([](HostOperands& o) { o.ld_x = 69; }), "ld_x is 69");
  refused(p, with([](HostOperands& o) { o.ld_y = -1; }), "ld_y is -1");
  refused(p, with([](HostOperands& o) { o.ld_y = std::numeric_limits<std::int64_t>::max(); }),
          "no address space");
  refused(p, with([](HostOperands& o) { o.x = static_cast<const char*>(o.x) + 1; }), "not aligned");

  Problem axes = p;
  axes.slices.columns = {20, 30};
  axes.slices.count = 2;
  refused(axes, good, "slices");
  axes = p;
  axes.adapters = 2;
  refused(axes, good, "pool");
  EXPECT_NE(HostWeights::pack(axes, data.a.data(), data.b.data()).why, "");
  axes = p;
  axes.dora = true;
  refused(axes, good, "DoRA");

  EXPECT_NE(HostWeights::pack(p, nullptr, data.b.data()).why, "");
  EXPECT_NE(HostWeights::pack(problem_of(1, 0, 5, 4), data.a.data(), data.b.data()).why, "");
  EXPECT_NE(HostWeights::pack(problem_of(1, 8, 8, 0), data.a.data(), data.b.data()).why, "");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they end the program there
  // Nobody has so much memory, and nothing is read before it is asked for.
  const Problem huge = problem_of(1, kMaxExtent, kMaxExtent, kMaxRank);
  EXPECT_EQ(HostWeights::pack(huge, data.a.data(), data.b.data()).why, "no memory");
#endif
}

}  // namespace
}  // namespace loratune
