#include "loratune/engine/device.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string_view>
#include <utility>

#include "dispatch/internal/opencl_codes.h"
#include "dispatch/internal/utf8.h"
#include "engine/internal/cpu_limits.h"
#include "engine/internal/device_limits.h"
#include "engine/internal/list_devices.h"
#include "engine/internal/opencl.h"

namespace loratune {
namespace {

#ifndef CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE
#define CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE 0x1067  // OpenCL 3.0
#endif

// What a driver calls something, as text that files and terminals can take: bytes that are no UTF-8
// and control characters become question marks, zeros and blanks at the end go.
std::string clean(std::string_view text) {
  while (!text.empty() &&
         (text.back() == '\0' || std::isspace(static_cast<unsigned char>(text.back())) != 0)) {
    text.remove_suffix(1);
  }
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool control =
        (length == 1 && (first < 0x20 || first == 0x7f)) ||
        (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (length == 0 || control) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

// "OpenCL C 1.2 PoCL" -> "1.2".
std::string version_number(const std::string& text) {
  const std::size_t begin = text.find_first_of("0123456789");
  if (begin == std::string::npos) return "1.2";
  return text.substr(begin, text.find_first_not_of("0123456789.", begin) - begin);
}

int preferred_multiple(cl_device_id device) {
  std::size_t multiple = 0;
  if (clGetDeviceInfo(device, CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(multiple),
                      &multiple, nullptr) != CL_SUCCESS) {
    return 1;
  }
  return static_cast<int>(std::clamp<std::size_t>(multiple, 1, 1024));
}

// 10 * major + minor by cl_nv_device_attribute_query, 0 without it.
int nv_compute_capability(cl_device_id device, const DeviceInfo& info) {
  if (!has_extension(info, "cl_nv_device_attribute_query")) return 0;
  cl_uint major = 0;
  cl_uint minor = 0;
  constexpr cl_device_info kMajor = 0x4000;
  constexpr cl_device_info kMinor = 0x4001;
  if (clGetDeviceInfo(device, kMajor, sizeof(major), &major, nullptr) != CL_SUCCESS ||
      clGetDeviceInfo(device, kMinor, sizeof(minor), &minor, nullptr) != CL_SUCCESS) {
    return 0;
  }
  return static_cast<int>(std::min(major, 100U) * 10 + std::min(minor, 9U));
}

// CL_DEVICE_IP_VERSION_INTEL by cl_intel_device_attribute_query, 0 without it.
std::uint32_t intel_ip_version(cl_device_id device, const DeviceInfo& info) {
  constexpr cl_device_info kIpVersion = 0x4250;
  cl_uint version = 0;
  if (!has_extension(info, "cl_intel_device_attribute_query") ||
      clGetDeviceInfo(device, kIpVersion, sizeof(version), &version, nullptr) != CL_SUCCESS) {
    return 0;
  }
  return version;
}

}  // namespace

DeviceInfo query_device(cl_device_id device) {
  DeviceInfo info;
  const auto platform = device_info<cl_platform_id>(device, CL_DEVICE_PLATFORM);
  info.platform = clean(platform_text(platform, CL_PLATFORM_NAME));
  info.vendor = clean(device_text(device, CL_DEVICE_VENDOR));
  info.name = clean(device_text(device, CL_DEVICE_NAME));
  info.driver = clean(device_text(device, CL_DRIVER_VERSION));
  info.device_version = clean(device_text(device, CL_DEVICE_VERSION));
  info.opencl_c = version_number(device_text(device, CL_DEVICE_OPENCL_C_VERSION));
  std::istringstream words(device_text(device, CL_DEVICE_EXTENSIONS));
  for (std::string word; words >> word;) info.extensions.push_back(clean(word));
  std::sort(info.extensions.begin(), info.extensions.end());
  info.vendor_id = device_info<cl_uint>(device, CL_DEVICE_VENDOR_ID);
  const auto type = device_info<cl_device_type>(device, CL_DEVICE_TYPE);
  if ((type & CL_DEVICE_TYPE_GPU) != 0) {
    info.type = DeviceType::gpu;
  } else if ((type & CL_DEVICE_TYPE_CPU) != 0) {
    info.type = DeviceType::cpu;
  }
  // What plans divide by is never 0, whatever the driver says.
  info.compute_units = static_cast<int>(std::clamp<cl_uint>(
      device_info<cl_uint>(device, CL_DEVICE_MAX_COMPUTE_UNITS), 1, cl_uint{kMaxComputeUnits}));
  if (info.type == DeviceType::cpu) {
    info.usable_cpus = usable_cpus(info.compute_units, cpu_limits());
  }
  const auto runs =
      device_info<cl_device_exec_capabilities>(device, CL_DEVICE_EXECUTION_CAPABILITIES);
  info.native_kernels = info.type == DeviceType::cpu && (runs & CL_EXEC_NATIVE_KERNEL) != 0;
  info.preferred_multiple = preferred_multiple(device);
  const auto sizes = device_infos<std::size_t>(device, CL_DEVICE_MAX_WORK_ITEM_SIZES);
  info.max_work_group_size = static_cast<std::int64_t>(
      std::clamp<std::size_t>(device_info<std::size_t>(device, CL_DEVICE_MAX_WORK_GROUP_SIZE), 1,
                              sizes.empty() || sizes[0] == 0 ? 1 : sizes[0]));
  info.local_mem_bytes =
      static_cast<std::int64_t>(device_info<cl_ulong>(device, CL_DEVICE_LOCAL_MEM_SIZE));
  info.max_alloc_bytes =
      static_cast<std::int64_t>(device_info<cl_ulong>(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
  info.nv_compute_capability = nv_compute_capability(device, info);
  info.intel_ip_version = intel_ip_version(device, info);
  return info;
}

namespace {

// The name that asking gives, for a complaint, where it is told.
template <class Ask>
std::string name_or(const std::string& otherwise, Ask ask) {
  try {
    return clean(ask());
  } catch (const OpenclError&) {
    return otherwise;
  }
}

std::vector<cl_platform_id> list_platforms() {
  cl_uint count = 0;
  require_success(clGetPlatformIDs(0, nullptr, &count), "clGetPlatformIDs");
  std::vector<cl_platform_id> platforms(count);
  if (count == 0) return platforms;
  require_success(clGetPlatformIDs(count, platforms.data(), nullptr), "clGetPlatformIDs");
  return platforms;
}

// Adds the device, or the complaint about it: one that cannot be used hides no other.
void add_device(const std::string& platform, cl_device_id handle, std::vector<Device>& devices,
                std::vector<std::string>& complaints) {
  std::string why;
  try {
    if (device_info<cl_bool>(handle, CL_DEVICE_AVAILABLE) == CL_FALSE) {
      why = "it is not available";
    } else if (device_info<cl_bool>(handle, CL_DEVICE_COMPILER_AVAILABLE) == CL_FALSE) {
      why = "it has no compiler";
    } else {
      devices.push_back({handle, query_device(handle)});
      return;
    }
  } catch (const OpenclError& error) {
    why = error.what();
  }
  const std::string name = name_or("a device", [&] { return device_text(handle, CL_DEVICE_NAME); });
  complaints.push_back(platform + ": " + name + " is passed over: " + why);
}

}  // namespace

std::vector<Device> list_devices(std::vector<std::string>& complaints,
                                 std::vector<std::string>* platform_names) {
  std::vector<std::string> names;
  return list_devices(complaints, platform_names != nullptr ? *platform_names : names,
                      [](std::size_t, const std::string&) { return std::string(); });
}

std::vector<Device> list_devices(std::vector<std::string>& complaints,
                                 std::vector<std::string>& platform_names,
                                 const BeforePlatform& before) {
  std::vector<cl_platform_id> platforms;
  try {
    platforms = list_platforms();
  } catch (const OpenclError& error) {
    constexpr cl_int kNoPlatform = -1001;  // of the ICD loader
    if (error.code() != kNoPlatform) complaints.emplace_back(error.what());
  }
  std::vector<Device> devices;
  std::vector<std::string> names;
  for (std::size_t number = 0; number < platforms.size(); ++number) {
    const cl_platform_id platform = platforms[number];
    names.emplace_back();
    std::string passed_over = before(number, "");
    if (passed_over.empty()) {
      names.back() =
          name_or("a platform", [&] { return platform_text(platform, CL_PLATFORM_NAME); });
      passed_over = before(number, names.back());
    }
    if (!passed_over.empty()) {
      complaints.push_back(std::move(passed_over));
      continue;
    }
    std::vector<cl_device_id> handles;
    std::string why = " has no device";
    try {
      handles = devices_of(platform);
    } catch (const OpenclError& error) {
      if (error.code() != CL_DEVICE_NOT_FOUND)
        why = std::string(" is passed over: ") + error.what();
    }
    if (handles.empty()) complaints.push_back("platform " + names.back() + why);
    for (const cl_device_id handle : handles) {
      add_device(names.back(), handle, devices, complaints);
    }
  }
  platform_names = std::move(names);
  return devices;
}

std::string error_name(std::int32_t code) {
  const char* name = opencl_code_name(code);
  return name == nullptr ? "OpenCL error " + std::to_string(code) : name;
}

OpenclError::OpenclError(std::int32_t code, const std::string& call)
    : std::runtime_error(call + ": " + error_name(code)), code_(code) {}

}  // namespace loratune
