#include "loratune/engine/device.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <utility>

namespace loratune {
namespace {

#ifndef CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE
#define CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE 0x1067  // OpenCL 3.0
#endif

std::string trimmed(std::string text) {
  while (!text.empty() &&
         (text.back() == '\0' || std::isspace(static_cast<unsigned char>(text.back())) != 0)) {
    text.pop_back();
  }
  return text;
}

// "OpenCL C 1.2 PoCL" -> "1.2".
std::string version_number(const std::string& text) {
  const std::size_t begin = text.find_first_of("0123456789");
  if (begin == std::string::npos) return "1.2";
  return text.substr(begin, text.find_first_not_of("0123456789.", begin) - begin);
}

int preferred_multiple(const cl::Device& device) {
  std::size_t multiple = 0;
  if (clGetDeviceInfo(device(), CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(multiple),
                      &multiple, nullptr) != CL_SUCCESS) {
    return 1;
  }
  return static_cast<int>(std::clamp<std::size_t>(multiple, 1, 1024));
}

// 10 * major + minor by cl_nv_device_attribute_query, 0 without it.
int nv_compute_capability(const cl::Device& device, const DeviceInfo& info) {
  if (!has_extension(info, "cl_nv_device_attribute_query")) return 0;
  cl_uint major = 0;
  cl_uint minor = 0;
  constexpr cl_device_info kMajor = 0x4000;
  constexpr cl_device_info kMinor = 0x4001;
  if (clGetDeviceInfo(device(), kMajor, sizeof(major), &major, nullptr) != CL_SUCCESS ||
      clGetDeviceInfo(device(), kMinor, sizeof(minor), &minor, nullptr) != CL_SUCCESS) {
    return 0;
  }
  return static_cast<int>(std::min(major, 100U) * 10 + std::min(minor, 9U));
}

}  // namespace

DeviceInfo query_device(const cl::Device& device) {
  DeviceInfo info;
  const cl::Platform platform(device.getInfo<CL_DEVICE_PLATFORM>());
  info.platform = trimmed(platform.getInfo<CL_PLATFORM_NAME>());
  info.vendor = trimmed(device.getInfo<CL_DEVICE_VENDOR>());
  info.name = trimmed(device.getInfo<CL_DEVICE_NAME>());
  info.driver = trimmed(device.getInfo<CL_DRIVER_VERSION>());
  info.opencl_c = version_number(device.getInfo<CL_DEVICE_OPENCL_C_VERSION>());
  std::istringstream words(device.getInfo<CL_DEVICE_EXTENSIONS>());
  for (std::string word; words >> word;) info.extensions.push_back(trimmed(word));
  std::sort(info.extensions.begin(), info.extensions.end());
  info.vendor_id = device.getInfo<CL_DEVICE_VENDOR_ID>();
  const cl_device_type type = device.getInfo<CL_DEVICE_TYPE>();
  if ((type & CL_DEVICE_TYPE_GPU) != 0) {
    info.type = DeviceType::gpu;
  } else if ((type & CL_DEVICE_TYPE_CPU) != 0) {
    info.type = DeviceType::cpu;
  }
  info.compute_units = static_cast<int>(device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
  info.preferred_multiple = preferred_multiple(device);
  info.max_work_group_size =
      static_cast<std::int64_t>(std::min(device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>(),
                                         device.getInfo<CL_DEVICE_MAX_WORK_ITEM_SIZES>().at(0)));
  info.local_mem_bytes = static_cast<std::int64_t>(device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>());
  info.max_alloc_bytes = static_cast<std::int64_t>(device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>());
  info.nv_compute_capability = nv_compute_capability(device, info);
  return info;
}

std::vector<Device> list_devices(std::vector<std::string>& complaints) {
  std::vector<cl::Platform> platforms;
  try {
    cl::Platform::get(&platforms);
  } catch (const cl::Error& error) {
    if (error.err() != -1001)
      complaints.push_back(describe(error));  // -1001: the ICD loader found no platform
    return {};
  }
  std::vector<Device> devices;
  for (const cl::Platform& platform : platforms) {
    try {
      std::vector<cl::Device> handles;
      platform.getDevices(CL_DEVICE_TYPE_ALL, &handles);
      for (const cl::Device& handle : handles) devices.push_back({handle, query_device(handle)});
    } catch (const cl::Error& error) {
      if (error.err() == CL_DEVICE_NOT_FOUND) continue;
      std::string name = "a platform";
      try {
        name = "platform " + trimmed(platform.getInfo<CL_PLATFORM_NAME>());
      } catch (const cl::Error&) {  // then it stays nameless
      }
      complaints.push_back(name + " is passed over: " + describe(error));
    }
  }
  return devices;
}

std::string error_name(cl_int code) {
  constexpr auto kNames = std::to_array<std::pair<cl_int, const char*>>({
      {0, "CL_SUCCESS"},
      {-1, "CL_DEVICE_NOT_FOUND"},
      {-2, "CL_DEVICE_NOT_AVAILABLE"},
      {-3, "CL_COMPILER_NOT_AVAILABLE"},
      {-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
      {-5, "CL_OUT_OF_RESOURCES"},
      {-6, "CL_OUT_OF_HOST_MEMORY"},
      {-7, "CL_PROFILING_INFO_NOT_AVAILABLE"},
      {-11, "CL_BUILD_PROGRAM_FAILURE"},
      {-13, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
      {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
      {-15, "CL_COMPILE_PROGRAM_FAILURE"},
      {-30, "CL_INVALID_VALUE"},
      {-33, "CL_INVALID_DEVICE"},
      {-34, "CL_INVALID_CONTEXT"},
      {-36, "CL_INVALID_COMMAND_QUEUE"},
      {-38, "CL_INVALID_MEM_OBJECT"},
      {-42, "CL_INVALID_BINARY"},
      {-43, "CL_INVALID_BUILD_OPTIONS"},
      {-44, "CL_INVALID_PROGRAM"},
      {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
      {-46, "CL_INVALID_KERNEL_NAME"},
      {-48, "CL_INVALID_KERNEL"},
      {-49, "CL_INVALID_ARG_INDEX"},
      {-50, "CL_INVALID_ARG_VALUE"},
      {-51, "CL_INVALID_ARG_SIZE"},
      {-52, "CL_INVALID_KERNEL_ARGS"},
      {-53, "CL_INVALID_WORK_DIMENSION"},
      {-54, "CL_INVALID_WORK_GROUP_SIZE"},
      {-55, "CL_INVALID_WORK_ITEM_SIZE"},
      {-56, "CL_INVALID_GLOBAL_OFFSET"},
      {-57, "CL_INVALID_EVENT_WAIT_LIST"},
      {-58, "CL_INVALID_EVENT"},
      {-59, "CL_INVALID_OPERATION"},
      {-61, "CL_INVALID_BUFFER_SIZE"},
      {-63, "CL_INVALID_GLOBAL_WORK_SIZE"},
      {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
  });
  for (const auto& [value, name] : kNames) {
    if (value == code) return name;
  }
  return "OpenCL error " + std::to_string(code);
}

std::string describe(const cl::Error& error) {
  return std::string(error.what()) + ": " + error_name(error.err());
}

}  // namespace loratune
