#include "loratune/dispatch/device_text.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "dispatch/internal/bounded_json.h"
#include "dispatch/internal/json_node.h"
#include "dispatch/internal/tuned_limits.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

using bounded_json::Node;

constexpr std::array<std::string_view, 3> kTypes = {"cpu", "gpu", "other"};
constexpr std::int64_t kMaxUnits = std::int64_t{1} << 20;  // planning takes memory for each

DeviceInfo read_device(const Node& node) {
  node.expect_members({"name", "type", "max_work_group_size", "local_mem_bytes", "max_alloc_bytes"},
                      {"platform", "vendor", "driver", "device_version", "opencl_c", "extensions",
                       "vendor_id", "compute_units", "usable_cpus", "preferred_multiple",
                       "nv_compute_capability", "intel_ip_version", "native_kernels"});
  DeviceInfo device;
  const auto text = [&](const char* name, std::string& to) {
    if (node.has(name)) to = node[name].text();
  };
  const auto number = [&]<class Int>(const char* name, Int& to, std::int64_t low,
                                     std::int64_t high) {
    if (node.has(name)) to = node[name].integer<Int>(low, high);
  };
  text("platform", device.platform);
  text("vendor", device.vendor);
  text("name", device.name);
  text("driver", device.driver);
  text("device_version", device.device_version);
  device.opencl_c = "1.2";
  text("opencl_c", device.opencl_c);
  if (node.has("extensions")) {
    node["extensions"].for_each_element(0, limits::kExtensions, [&](const Node& extension) {
      device.extensions.emplace_back(extension.text(1));
    });
  }
  std::sort(device.extensions.begin(), device.extensions.end());
  const std::string_view type = node["type"].one_of({kTypes[0], kTypes[1], kTypes[2]});
  device.type =
      static_cast<DeviceType>(std::find(kTypes.begin(), kTypes.end(), type) - kTypes.begin());
  number("vendor_id", device.vendor_id, 0, UINT32_MAX);
  number("compute_units", device.compute_units, 1, kMaxUnits);
  if (node.has("usable_cpus")) {
    device.usable_cpus =
        node["usable_cpus"].number(0, device.compute_units == 1 ? kMaxUnits : device.compute_units);
  }
  number("preferred_multiple", device.preferred_multiple, 1, 1024);
  number("max_work_group_size", device.max_work_group_size, 1, limits::kBytes);
  number("local_mem_bytes", device.local_mem_bytes, 0, limits::kBytes);
  number("max_alloc_bytes", device.max_alloc_bytes, 0, limits::kBytes);
  number("nv_compute_capability", device.nv_compute_capability, 0, 10000);
  number("intel_ip_version", device.intel_ip_version, 0, UINT32_MAX);
  if (node.has("native_kernels")) device.native_kernels = node["native_kernels"].boolean();
  return device;
}

}  // namespace

std::string device_text(const DeviceInfo& device) {
  // A tuned file's device has each text cut and made UTF-8.
  const TunedDevice clean = tuned_device(device);
  DeviceInfo language_alone;
  language_alone.name = device.opencl_c;
  const nlohmann::json json = {
      {"platform", clean.platform},
      {"vendor", clean.vendor},
      {"name", clean.name},
      {"driver", clean.driver},
      {"device_version", clean.device_version},
      {"opencl_c", tuned_device(language_alone).name},
      {"extensions", clean.extensions},
      {"vendor_id", device.vendor_id},
      {"type", kTypes[static_cast<unsigned>(device.type)]},
      {"compute_units", device.compute_units},
      {"usable_cpus", device.usable_cpus},
      {"preferred_multiple", device.preferred_multiple},
      {"max_work_group_size", device.max_work_group_size},
      {"local_mem_bytes", std::min(device.local_mem_bytes, limits::kBytes)},
      {"max_alloc_bytes", std::min(device.max_alloc_bytes, limits::kBytes)},
      {"nv_compute_capability", device.nv_compute_capability},
      {"intel_ip_version", device.intel_ip_version},
      {"native_kernels", device.native_kernels}};
  return json.dump(-1, ' ', true);
}

ParsedDevice parse_device(std::string_view text) {
  try {
    if (text.size() > kMaxDeviceText) bounded_json::fail("", "is too large for a device");
    const bounded_json::Path root;
    bounded_json::Tree tree;
    bounded_json::Cursor cursor(text);
    cursor.read(tree, root);
    cursor.expect_end(root);
    return {read_device(Node(tree, root)), {}};
  } catch (const bounded_json::Fault& fault) {
    return {{}, fault.text};
  }
}

}  // namespace loratune
