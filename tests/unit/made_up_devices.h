// Devices that no test needs to have.
#pragma once

#include "loratune/variants/device_info.h"

namespace loratune::made_up {

inline DeviceInfo gpu() {
  DeviceInfo device;
  device.platform = "Made-up platform";
  device.name = "Made-up GPU";
  device.opencl_c = "3.0";
  device.type = DeviceType::gpu;
  device.compute_units = 60;
  device.preferred_multiple = 32;
  device.max_work_group_size = 1024;
  device.local_mem_bytes = 48 * 1024;
  device.max_alloc_bytes = std::int64_t{4} << 30;
  return device;
}

inline DeviceInfo nvidia() {
  DeviceInfo device = gpu();
  device.name = "Made-up NVIDIA GPU";
  device.nv_compute_capability = 90;
  return device;
}

inline DeviceInfo cpu() {
  DeviceInfo device = gpu();
  device.name = "Made-up CPU";
  device.type = DeviceType::cpu;
  device.compute_units = 8;
  device.native_kernels = true;
  device.preferred_multiple = 8;
  device.max_work_group_size = 4096;
  device.local_mem_bytes = 512 * 1024;
  return device;
}

inline DeviceInfo small() {
  DeviceInfo device = gpu();
  device.name = "Made-up small GPU";
  device.compute_units = 2;
  device.preferred_multiple = 1;
  device.max_work_group_size = 64;
  device.local_mem_bytes = 16 * 1024;
  device.max_alloc_bytes = std::int64_t{128} << 20;
  return device;
}

inline DeviceInfo tiny() {
  DeviceInfo device = gpu();
  device.name = "Made-up tiny device";
  device.type = DeviceType::other;
  device.compute_units = 1;
  device.preferred_multiple = 1;
  device.max_work_group_size = 1;
  device.local_mem_bytes = 1024;
  device.max_alloc_bytes = std::int64_t{1} << 20;
  return device;
}

}  // namespace loratune::made_up
