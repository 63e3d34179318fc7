#include "harness/base/device_json.h"

#include "engine/internal/device_limits.h"
#include "harness/base/json_members.h"

namespace loratune {

namespace {

// Planning divides by some of the numbers, so what no device has is refused.
template <class Device, class Visit>
void visit_members(Device& d, Visit& visit) {
  visit("platform", d.platform);
  visit("vendor", d.vendor);
  visit("name", d.name);
  visit("driver", d.driver);
  visit("device_version", d.device_version, kYounger);
  visit("opencl_c", d.opencl_c);
  visit("extensions", d.extensions);
  visit("vendor_id", d.vendor_id);
  visit("type", d.type, DeviceType{}, DeviceType::other);
  visit("compute_units", d.compute_units, 1, kMaxComputeUnits);
  visit("preferred_multiple", d.preferred_multiple, 1);
  visit("max_work_group_size", d.max_work_group_size, std::int64_t{1});
  visit("local_mem_bytes", d.local_mem_bytes, std::int64_t{0});
  visit("max_alloc_bytes", d.max_alloc_bytes, std::int64_t{0});
  visit("nv_compute_capability", d.nv_compute_capability, kYounger, 0);
  visit("intel_ip_version", d.intel_ip_version, kYounger);
  visit("usable_cpus", d.usable_cpus, kYounger);
  visit("native_kernels", d.native_kernels, kYounger);
}

}  // namespace

nlohmann::json to_json(const DeviceInfo& d) {
  MembersToJson visit;
  visit_members(d, visit);
  return visit.json;
}

DeviceInfo device_from_json(const nlohmann::json& json) {
  DeviceInfo d;
  const MembersFromJson visit{json};
  visit_members(d, visit);
  const int most = d.compute_units == 1 ? kMaxComputeUnits : d.compute_units;
  if (!(d.usable_cpus >= 0 && d.usable_cpus <= most)) d.usable_cpus = 0;
  return d;
}

bool same_device(DeviceInfo stored, const DeviceInfo& now) {
  if (stored.device_version.empty()) stored.device_version = now.device_version;
  if (stored.intel_ip_version == 0) stored.intel_ip_version = now.intel_ip_version;
  if (stored.nv_compute_capability == 0) stored.nv_compute_capability = now.nv_compute_capability;
  stored.vendor_id = now.vendor_id;
  stored.native_kernels = now.native_kernels;
  stored.max_alloc_bytes = now.max_alloc_bytes;
  return stored == now;
}

}  // namespace loratune
