// The shapes of the correctness matrix, also of variants that no test machine can run.
#include "harness/check/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "made_up_devices.h"
#include "variant_lists.h"

namespace loratune {
namespace {

class MatrixShapes : public testing::TestWithParam<const Variant*> {};

// The first device that the variant runs on.
DeviceInfo device_for(const Variant& variant) {
  const Problem small{.rank = 8, .m = 17, .k = 512, .n = 512};
  for (const DeviceInfo& device : {made_up::nvidia(), made_up::cpu()}) {
    if (variant.supports(small, device)) return device;
  }
  ADD_FAILURE() << "no made-up device runs " << variant.name;
  return {};
}

TEST_P(MatrixShapes, HaveEachTileOneLessAndOneMore) {
  const Variant& variant = *GetParam();
  const DeviceInfo device = device_for(variant);
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    const auto cases = matrix_cases(variant, device, ShapeClass::edges, dtype, true);
    ASSERT_FALSE(cases.empty());
    EXPECT_LE(cases.size(), 200U) << "the matrix is most of the suite's time";
    std::int64_t widest_m = 0;
    std::int64_t widest_k = 0;
    std::int64_t widest_n = 0;
    for (const MatrixCase& one : cases) {
      ASSERT_TRUE(can_run(variant, one.config, one.shape.problem, device));
      const Tiles tiles = variant.tiles(one.shape.problem, one.config);
      const auto check = [&](const std::vector<std::int64_t>& of_axis, std::int64_t Problem::*axis,
                             std::int64_t& widest) {
        for (const std::int64_t tile : of_axis) {
          if (tile < 2 || tile > kWidestEdge) continue;
          widest = std::max(widest, tile);
          for (const std::int64_t extent : {tile - 1, tile, tile + 1}) {
            const bool tried = std::any_of(cases.begin(), cases.end(), [&](const auto& other) {
              return other.config == one.config && other.shape.problem.*axis == extent;
            });
            // A config for many rows or columns may be refused where there are few.
            Problem few = one.shape.problem;
            few.m = 17;
            few.k = few.n = 512;
            few.*axis = extent;
            EXPECT_TRUE(tried || !can_run(variant, one.config, few, device))
                << extent << " of " << to_string(variant.space, one.config);
          }
          EXPECT_TRUE(
              std::any_of(cases.begin(), cases.end(),
                          [&](const auto& other) { return other.shape.problem.*axis == tile + 1; }))
              << "nothing ends one past " << tile;
        }
      };
      check(tiles.m, &Problem::m, widest_m);
      check(tiles.k, &Problem::k, widest_k);
      check(tiles.n, &Problem::n, widest_n);
    }
    EXPECT_GE(widest_m, 2) << "no rows are tiled";
    EXPECT_GE(widest_k, 2) << "no loop over k is";
    EXPECT_GE(widest_n, 8) << "no columns are";
  }
}

TEST_P(MatrixShapes, AreNoneWhereTheDeviceLacksWhatTheVariantNeeds) {
  DeviceInfo device = made_up::gpu();
  device.type = DeviceType::other;
  device.platform = "rusticl";
  const auto cases = matrix_cases(*GetParam(), device, ShapeClass::edges, Dtype::f32, true);
  EXPECT_EQ(cases.empty(), !GetParam()->needs.empty());
}

INSTANTIATE_TEST_SUITE_P(Variants, MatrixShapes, testing::ValuesIn(plain_variants()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace loratune
