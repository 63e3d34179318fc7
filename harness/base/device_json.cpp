#include "harness/base/device_json.h"

namespace loratune {

nlohmann::json to_json(const DeviceInfo& d) {
  return {{"platform", d.platform},
          {"vendor", d.vendor},
          {"name", d.name},
          {"driver", d.driver},
          {"opencl_c", d.opencl_c},
          {"extensions", d.extensions},
          {"vendor_id", d.vendor_id},
          {"type", static_cast<int>(d.type)},
          {"compute_units", d.compute_units},
          {"preferred_multiple", d.preferred_multiple},
          {"max_work_group_size", d.max_work_group_size},
          {"local_mem_bytes", d.local_mem_bytes},
          {"max_alloc_bytes", d.max_alloc_bytes},
          {"nv_compute_capability", d.nv_compute_capability}};
}

DeviceInfo device_from_json(const nlohmann::json& json) {
  DeviceInfo d;
  json.at("platform").get_to(d.platform);
  json.at("vendor").get_to(d.vendor);
  json.at("name").get_to(d.name);
  json.at("driver").get_to(d.driver);
  json.at("opencl_c").get_to(d.opencl_c);
  json.at("extensions").get_to(d.extensions);
  json.at("vendor_id").get_to(d.vendor_id);
  d.type = static_cast<DeviceType>(json.at("type").get<int>());
  json.at("compute_units").get_to(d.compute_units);
  json.at("preferred_multiple").get_to(d.preferred_multiple);
  json.at("max_work_group_size").get_to(d.max_work_group_size);
  json.at("local_mem_bytes").get_to(d.local_mem_bytes);
  json.at("max_alloc_bytes").get_to(d.max_alloc_bytes);
  d.nv_compute_capability = json.value("nv_compute_capability", 0);  // younger than the format
  return d;
}

}  // namespace loratune
