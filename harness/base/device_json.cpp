#include "harness/base/device_json.h"

#include "engine/internal/device_limits.h"
#include "harness/base/whole_from.h"

namespace loratune {

nlohmann::json to_json(const DeviceInfo& d) {
  return {{"platform", d.platform},
          {"vendor", d.vendor},
          {"name", d.name},
          {"driver", d.driver},
          {"device_version", d.device_version},
          {"opencl_c", d.opencl_c},
          {"extensions", d.extensions},
          {"vendor_id", d.vendor_id},
          {"type", static_cast<int>(d.type)},
          {"compute_units", d.compute_units},
          {"preferred_multiple", d.preferred_multiple},
          {"max_work_group_size", d.max_work_group_size},
          {"local_mem_bytes", d.local_mem_bytes},
          {"max_alloc_bytes", d.max_alloc_bytes},
          {"nv_compute_capability", d.nv_compute_capability},
          {"intel_ip_version", d.intel_ip_version},
          {"usable_cpus", d.usable_cpus},
          {"native_kernels", d.native_kernels}};
}

DeviceInfo device_from_json(const nlohmann::json& json) {
  DeviceInfo d;
  json.at("platform").get_to(d.platform);
  json.at("vendor").get_to(d.vendor);
  json.at("name").get_to(d.name);
  json.at("driver").get_to(d.driver);
  json.at("opencl_c").get_to(d.opencl_c);
  json.at("extensions").get_to(d.extensions);
  // Planning divides by some of the numbers, so what no device has is refused here.
  const auto number = [&]<class Int>(const char* name, Int& to, Int low) {
    to = whole_from<Int>(json.at(name), name, low);
  };
  number("vendor_id", d.vendor_id, 0U);
  d.type = static_cast<DeviceType>(
      whole_from<int>(json.at("type"), "type", 0, static_cast<int>(DeviceType::other)));
  d.compute_units = whole_from<int>(json.at("compute_units"), "compute_units", 1, kMaxComputeUnits);
  number("preferred_multiple", d.preferred_multiple, 1);
  number("max_work_group_size", d.max_work_group_size, std::int64_t{1});
  number("local_mem_bytes", d.local_mem_bytes, std::int64_t{0});
  number("max_alloc_bytes", d.max_alloc_bytes, std::int64_t{0});
  // Younger than the format:
  if (json.contains("nv_compute_capability")) {
    number("nv_compute_capability", d.nv_compute_capability, 0);
  }
  if (json.contains("intel_ip_version")) number("intel_ip_version", d.intel_ip_version, 0U);
  if (json.contains("usable_cpus")) {
    d.usable_cpus = json.at("usable_cpus").get<double>();
    if (!(d.usable_cpus >= 0 && d.usable_cpus <= d.compute_units)) d.usable_cpus = 0;
  }
  d.native_kernels = json.value("native_kernels", false);
  if (json.contains("device_version")) json.at("device_version").get_to(d.device_version);
  return d;
}

bool same_device(DeviceInfo stored, const DeviceInfo& now) {
  if (stored.device_version.empty()) stored.device_version = now.device_version;
  if (stored.intel_ip_version == 0) stored.intel_ip_version = now.intel_ip_version;
  if (stored.nv_compute_capability == 0) stored.nv_compute_capability = now.nv_compute_capability;
  stored.native_kernels = now.native_kernels;
  stored.max_alloc_bytes = now.max_alloc_bytes;
  return stored == now;
}

}  // namespace loratune
