#include "loratune/variants/packing.h"

#include <gtest/gtest.h>

#include <set>

#include "loratune/variants/problem.h"

namespace loratune {
namespace {

std::vector<Packing> packings() {
  std::vector<Packing> all = {
      {Layout::row_major, 1}, {Layout::row_major, 8}, {Layout::transposed, 1}};
  for (const int tile : {1, 3, 4, 16, 100}) {
    all.push_back({Layout::panel, tile});
    all.push_back({Layout::blocked, tile});
  }
  return all;
}

TEST(Packing, GivesEachElementAPlaceOfItsOwnInside) {
  for (const Packing& packing : packings()) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 16, 33}) {
      for (const std::int64_t cols : {1, 2, 7, 64}) {
        std::set<std::int64_t> places;
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t j = 0; j < cols; ++j) {
            const std::int64_t place = packed_index(packing, rows, cols, i, j);
            ASSERT_GE(place, 0);
            ASSERT_LT(place, packed_size(packing, rows, cols));
            ASSERT_TRUE(places.insert(place).second);
          }
        }
        const bool panels = packing.layout == Layout::panel || packing.layout == Layout::blocked;
        const bool padded = (panels && rows % packing.tile != 0) ||
                            (packing.layout == Layout::row_major && cols % packing.tile != 0) ||
                            (packing.layout == Layout::blocked && cols % kLayoutBlock != 0);
        if (!padded) {
          EXPECT_EQ(static_cast<std::int64_t>(places.size()), packed_size(packing, rows, cols));
        }
      }
    }
  }
}

TEST(Packing, StandsWhereTheLayoutSays) {
  // 3 x 4, element (i, j) = 10 i + j.
  const std::vector<int> dense = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
  EXPECT_EQ(pack({Layout::row_major, 1}, 3, 4, dense.data()), dense);
  EXPECT_EQ(pack({Layout::row_major, 3}, 3, 4, dense.data()),
            (std::vector<int>{0, 1, 2, 3, 0, 0, 10, 11, 12, 13, 0, 0, 20, 21, 22, 23, 0, 0}));
  EXPECT_EQ(pack({Layout::transposed, 1}, 3, 4, dense.data()),
            (std::vector<int>{0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23}));
  EXPECT_EQ(pack({Layout::panel, 2}, 3, 4, dense.data()),
            (std::vector<int>{0, 10, 1, 11, 2, 12, 3, 13, 20, 0, 21, 0, 22, 0, 23, 0}));
  EXPECT_EQ(packed_ld({Layout::row_major, 1}, 3, 4), 4);
  EXPECT_EQ(packed_ld({Layout::row_major, 3}, 3, 4), 6);
  EXPECT_EQ(packed_ld({Layout::transposed, 1}, 3, 4), 3);
  EXPECT_EQ(packed_ld({Layout::panel, 2}, 3, 4), 4);
  EXPECT_EQ(packed_ld({Layout::blocked, 2}, 3, 4), 16);
}

TEST(Packing, BlocksHoldSixteenColumnsOfATileOfRows) {
  // 3 x 18 in tiles of 2 rows: two tiles of two blocks.
  std::vector<int> dense;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 18; ++j) dense.push_back(100 * (i + 1) + j);
  }
  const std::vector<int> packed = pack({Layout::blocked, 2}, 3, 18, dense.data());
  ASSERT_EQ(packed.size(), 2U * 2 * 2 * 16);
  EXPECT_EQ(packed[0], 100);  // row 0, columns 0 to 15
  EXPECT_EQ(packed[15], 115);
  EXPECT_EQ(packed[16], 200);  // row 1 of the same block
  EXPECT_EQ(packed[32], 116);  // row 0, columns 16 and 17
  EXPECT_EQ(packed[33], 117);
  EXPECT_EQ(packed[34], 0);
  EXPECT_EQ(packed[64], 300);  // row 2 begins the second tile
  EXPECT_EQ(packed[80], 0);    // there is no row 3
}

TEST(Packing, FillsUpTheLastPanelWithZeros) {
  const std::vector<int> ones(5 * 3, 1);
  const auto packed = pack({Layout::panel, 4}, 5, 3, ones.data());
  ASSERT_EQ(packed.size(), 8U * 3);
  EXPECT_EQ(std::count(packed.begin(), packed.end(), 1), 15);
  EXPECT_EQ(std::count(packed.begin(), packed.end(), 0), 9);
}

TEST(Packing, JoinedBBeginsBehindAAtAWholeLine) {
  Problem problem;
  problem.rank = 3;
  problem.k = 21;
  problem.dtype = Dtype::f32;
  EXPECT_EQ(joined_off_b({Layout::row_major, 1}, problem), 64) << "63 floats";
  EXPECT_EQ(joined_off_b({Layout::row_major, 8}, problem), 96) << "72";
  EXPECT_EQ(joined_off_b({Layout::panel, 4}, problem), 96) << "84";
  problem.dtype = Dtype::f16;
  EXPECT_EQ(joined_off_b({Layout::row_major, 1}, problem), 64);
  EXPECT_EQ(joined_off_b({Layout::row_major, 8}, problem), 128);
  EXPECT_EQ(joined_off_b({Layout::row_major, 8, true}, problem), 96);
  problem.weights = Dtype::f32;
  EXPECT_EQ(joined_off_b({Layout::row_major, 8}, problem), 96) << "elements as stored";
  problem.weights = Dtype::bf16;
  EXPECT_EQ(joined_off_b({Layout::row_major, 8}, problem), 128);
  problem.weights.reset();
  problem.k = 64;
  problem.rank = 1;
  EXPECT_EQ(joined_off_b({Layout::row_major, 1}, problem), 64) << "no gap";
}

TEST(Packing, CountsBeyond32Bits) {
  const std::int64_t rows = 70'001;
  const std::int64_t cols = 70'003;
  const std::int64_t i = 65'538;
  const std::int64_t j = 70'002;
  EXPECT_EQ(packed_index({Layout::row_major, 1}, rows, cols, i, j), 65'538 * cols + 70'002);
  EXPECT_EQ(packed_index({Layout::transposed, 1}, rows, cols, i, j), 70'002 * rows + 65'538);
  // Panel 4096 of 16 rows, 2 into it.
  EXPECT_EQ(packed_index({Layout::panel, 16}, rows, cols, i, j), (4096 * cols + 70'002) * 16 + 2);
  for (const Packing& packing : packings()) {
    EXPECT_GE(packed_size(packing, kMaxRank, kMaxExtent), kMaxRank * kMaxExtent);
    const std::int64_t last =
        packed_index(packing, kMaxRank, kMaxExtent, kMaxRank - 1, kMaxExtent - 1);
    EXPECT_GT(last, kMaxExtent);
    EXPECT_LT(last, packed_size(packing, kMaxRank, kMaxExtent));
  }
}

// The matrices of a group and DoRA's factors stand one behind the other, none in another's place.
TEST(Packing, OfAGroupGivesEachSliceAPlaceOfItsOwn) {
  Problem problem;
  problem.m = 1;
  problem.k = 7;
  problem.n = 5 + 33 + 1;
  problem.slices = {{5, 33, 1}, 3};
  problem.rank = 3;
  problem.dora = true;
  for (const Packing& packing : packings()) {
    EXPECT_EQ(packed_a_before(packing, problem, 1), packed_size(packing, 3, 7));
    EXPECT_EQ(packed_a_size(packing, problem), 3 * packed_size(packing, 3, 7));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(packed_b_before(packing, problem, i + 1) - packed_b_before(packing, problem, i),
                packed_size(packing, slice_columns(problem, i), 3));
    }
    const std::int64_t end_of_b = packed_b_before(packing, problem, 3);
    const std::int64_t line = 32;  // floats in 128 bytes
    EXPECT_GE(gains_before(packing, problem, 0), end_of_b);
    EXPECT_LT(gains_before(packing, problem, 0), end_of_b + line);
    for (int i = 0; i <= 3; ++i) EXPECT_EQ(gains_before(packing, problem, i) % line, 0);
    EXPECT_EQ(gains_before(packing, problem, 2) - gains_before(packing, problem, 1), 2 * line);
    EXPECT_EQ(packed_b_size(packing, problem), gains_before(packing, problem, 3));
    // A factor is a float whatever A and B are.
    Problem half = problem;
    half.dtype = Dtype::f16;
    EXPECT_EQ(gains_before(packing, half, 2) - gains_before(packing, half, 1), 4 * line);
  }
}

}  // namespace
}  // namespace loratune
