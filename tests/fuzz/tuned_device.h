// A device such as a tuned file describes, for targets that ask what to run on it.
#pragma once

#include "loratune/dispatch/tuned_file.h"
#include "unit/made_up_devices.h"

namespace loratune::fuzz {

inline DeviceInfo device_of(const TunedDevice& tuned) {
  DeviceInfo device = made_up::gpu();
  device.platform = tuned.platform;
  device.vendor = tuned.vendor;
  device.vendor_id = tuned.vendor_id;
  device.name = tuned.name;
  device.driver = tuned.driver;
  device.compute_units = tuned.compute_units;
  device.max_work_group_size = tuned.max_work_group_size;
  device.local_mem_bytes = tuned.local_mem_bytes;
  device.extensions = tuned.extensions;
  return device;
}

}  // namespace loratune::fuzz
