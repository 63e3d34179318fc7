#include "harness/timing/roofline.h"

#include <gtest/gtest.h>

#include <limits>

namespace loratune {
namespace {

Problem problem(Dtype dtype) {
  Problem p;
  p.dtype = dtype;
  p.rank = 8;
  p.m = 16;
  p.k = p.n = 512;
  return p;
}

// A device of 100 GB/s, 400 in its cache of 1 MB, and 1000 GFLOP/s.
const Ceilings kDevice{4000, 100, 1000, {{1 << 16, 50}, {1 << 20, 400}, {1 << 28, 100}}};

TEST(Roofline, RatesAreBytesAndOperationsByTime) {
  const Problem p = problem(Dtype::f32);
  const Throughput t = throughput(p, 10'000, kDevice);
  EXPECT_TRUE(t.refused.empty());
  EXPECT_DOUBLE_EQ(t.gbps, compulsory_bytes(p) / 10'000);
  EXPECT_DOUBLE_EQ(t.gflops, useful_flops(p) / 10'000);
  EXPECT_DOUBLE_EQ(t.share_of_copy, t.gbps / 400);
  EXPECT_DOUBLE_EQ(t.share_of_peak, t.gflops / 1000);
}

TEST(Roofline, SmallOperandsMayBeFasterThanTheMemoryBecauseTheyAreCached) {
  EXPECT_DOUBLE_EQ(memory_roof_gbps(kDevice, 1 << 14), 400);
  EXPECT_DOUBLE_EQ(memory_roof_gbps(kDevice, 1 << 27), 100);
  const Problem p = problem(Dtype::f32);
  EXPECT_TRUE(throughput(p, compulsory_bytes(p) / 300, kDevice).refused.empty());
}

TEST(Roofline, ARateAboveAnyThatTheDeviceShowedIsRefusedWithoutAFigure) {
  const Problem p = problem(Dtype::f32);
  const Throughput t = throughput(p, compulsory_bytes(p) / 501, kDevice);
  EXPECT_NE(t.refused.find("bad clock"), std::string::npos);
  EXPECT_EQ(t.gbps, 0);
  EXPECT_EQ(t.gflops, 0);
}

TEST(Roofline, OfTwoMeasurementsEachRateIsTheHigher) {
  Ceilings busy = kDevice;
  busy.floor_ns = 9000;
  busy.peak_gflops = 400;
  busy.cached[1].gbps = 200;
  EXPECT_EQ(highest(busy, kDevice), kDevice);
  EXPECT_EQ(highest(kDevice, busy), kDevice);
  Ceilings other = kDevice;
  other.copy_gbps = 120;
  other.cached[0].gbps = 70;
  EXPECT_EQ(highest(busy, other), other);
}

TEST(Roofline, OperationsAboveThePeakAreRefusedToo) {
  Ceilings slow = kDevice;
  slow.cached.back().gbps = 1e9;
  slow.peak_gflops = 10;
  const Problem p = problem(Dtype::f32);
  EXPECT_NE(throughput(p, useful_flops(p) / 13, slow).refused.find("GFLOP/s"), std::string::npos);
  EXPECT_TRUE(throughput(p, useful_flops(p) / 12, slow).refused.empty());
  // Matrix units compute in f16 at many times the f32 rate.
  EXPECT_TRUE(throughput(problem(Dtype::f16), useful_flops(p) / 160, slow).refused.empty());
  EXPECT_FALSE(throughput(problem(Dtype::f16), useful_flops(p) / 210, slow).refused.empty());
}

TEST(Roofline, NoTimeIsRefused) {
  for (const double ns : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                          std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(throughput(problem(Dtype::f32), ns, kDevice).refused.empty());
  }
}

TEST(Roofline, UnknownCeilingsRefuseNothingAndGiveNoShare) {
  const Throughput t = throughput(problem(Dtype::f32), 1, Ceilings{});
  EXPECT_TRUE(t.refused.empty());
  EXPECT_EQ(t.share_of_copy, 0);
  EXPECT_EQ(t.share_of_peak, 0);
}

TEST(Roofline, CeilingsGoThroughJson) { EXPECT_EQ(ceilings_from_json(to_json(kDevice)), kDevice); }

TEST(Roofline, CeilingsHoldForThreadsOfTheProcessWhereTheUnitsAreAllItsCpus) {
  DeviceInfo device;
  device.type = DeviceType::cpu;
  device.compute_units = 16;
  EXPECT_TRUE(ceilings_hold(device, false));
  device.usable_cpus = 2;
  EXPECT_TRUE(ceilings_hold(device, false));
  device.compute_units = 1;
  device.usable_cpus = 16;
  EXPECT_FALSE(ceilings_hold(device, false));
  EXPECT_TRUE(ceilings_hold(device, true));
  device.type = DeviceType::gpu;
  device.usable_cpus = 0;
  EXPECT_FALSE(ceilings_hold(device, false));
}

}  // namespace
}  // namespace loratune
