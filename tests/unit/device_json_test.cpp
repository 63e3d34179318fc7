#include "harness/base/device_json.h"

#include <gtest/gtest.h>

#include "unit/fictional.h"

namespace loratune {
namespace {

DeviceInfo whole() {
  DeviceInfo device = fictional::device();
  device.nv_compute_capability = 20;
  device.intel_ip_version = 5;
  device.usable_cpus = 1.5;
  return device;
}

TEST(DeviceJson, ComesBackWhole) { EXPECT_EQ(device_from_json(to_json(whole())), whole()); }

// What an older build did not write makes no difference; what it wrote otherwise does.
TEST(DeviceJson, SameDeviceAsAnOlderBuildWroteIt) {
  nlohmann::json old = to_json(whole());
  for (const char* member : {"device_version", "intel_ip_version", "nv_compute_capability"}) {
    EXPECT_EQ(old.erase(member), 1U);
  }
  const DeviceInfo stored = device_from_json(old);
  EXPECT_NE(stored, whole());
  EXPECT_TRUE(same_device(stored, whole()));
  EXPECT_FALSE(same_device(whole(), stored)) << "the other way round it was known";
  DeviceInfo other = whole();
  other.device_version = "OpenCL 3.0 Fictional";
  EXPECT_FALSE(same_device(whole(), other));
  other = whole();
  other.max_alloc_bytes /= 2;
  EXPECT_TRUE(same_device(other, whole())) << "it may follow from what memory is free";
  other.driver = "2";
  EXPECT_FALSE(same_device(other, whole()));
}

TEST(DeviceJson, WhatNoDeviceHasIsNotTaken) {
  nlohmann::json wrong = to_json(whole());
  for (const double cpus : {-1.0, 1e9}) {
    wrong["usable_cpus"] = cpus;
    EXPECT_EQ(device_from_json(wrong).usable_cpus, 0) << cpus;
  }
  for (const int units : {0, (1 << 20) + 1}) {
    wrong["compute_units"] = units;
    EXPECT_THROW(device_from_json(wrong), std::invalid_argument) << units;
  }
}

}  // namespace
}  // namespace loratune
