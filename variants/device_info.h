// What planning may know of a device, as plain data: read from OpenCL by the engine, from a tuned
// file by the dispatcher, or made up by a test that simulates a smaller device.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loratune {

enum class DeviceType : std::uint8_t { cpu, gpu, other };

struct DeviceInfo {
  std::string platform, vendor, name, driver;
  std::string device_version;  // "OpenCL 2.0 Adreno(TM) 640"
  std::string opencl_c;        // "1.2", "2.0", "3.0": the highest OpenCL C the device compiles
  std::vector<std::string> extensions;  // sorted
  std::uint32_t vendor_id = 0;
  DeviceType type = DeviceType::other;
  int compute_units = 1;
  // Of a CPU device: the CPUs whose time the process may use, by its affinity and its cgroups'
  // quotas, where these are fewer than the compute units, or more than one unit; else 0.
  double usable_cpus = 0;
  bool native_kernels = false;  // runs functions of the process in a queue's order
  int preferred_multiple = 1;  // work-items that run in step (warp, wavefront); 1 where unknown
  std::int64_t max_work_group_size = 1;
  std::int64_t local_mem_bytes = 0;
  std::int64_t max_alloc_bytes = 0;
  int nv_compute_capability = 0;       // of an NVIDIA GPU, 10 * major + minor; else 0
  std::uint32_t intel_ip_version = 0;  // of an Intel GPU, as a cl_version; else 0

  bool operator==(const DeviceInfo&) const = default;
};

bool has_extension(const DeviceInfo& device, std::string_view name);

}  // namespace loratune
