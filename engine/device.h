// OpenCL devices as the project sees them: found, described as DeviceInfo, and errors with names.
//
// Threads: plain data and errors, of which each thread may have copies, and functions that any
// number of threads may call at a time.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "loratune/engine/opencl_types.h"
#include "loratune/variants/device_info.h"

namespace loratune {

// A call to OpenCL that failed: what() is `clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES`.
class OpenclError : public std::runtime_error {
 public:
  OpenclError(std::int32_t code, const std::string& call);
  std::int32_t code() const { return code_; }

 private:
  std::int32_t code_;
};

// The handle is a platform's own device, which OpenCL never releases.
struct Device {
  cl_device_id handle = nullptr;
  DeviceInfo info;
};

// Every device of every platform that can be used, in the ICD loader's order. What cannot be used
// has a line with its name and the reason in `complaints`: a platform that fails or has no device,
// and a device that does not answer, is not available or has no compiler. `platform_names` become
// those of all platforms. Where no driver is installed the list is empty and there is no complaint.
std::vector<Device> list_devices(std::vector<std::string>& complaints,
                                 std::vector<std::string>* platform_names = nullptr);

// Throws OpenclError if the device does not answer.
DeviceInfo query_device(cl_device_id device);

// `CL_OUT_OF_RESOURCES` for -5; a number in words for codes unknown here.
std::string error_name(std::int32_t code);

}  // namespace loratune
