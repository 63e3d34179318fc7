// OpenCL devices as the project sees them: found, described as DeviceInfo, and errors with names.
#pragma once

// Versions that a user has chosen stand: what the engine uses is there with any of them.
#ifndef CL_HPP_TARGET_OPENCL_VERSION
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#endif
#ifndef CL_HPP_ENABLE_EXCEPTIONS
// Two styles in one program share the names of their inline functions: an exception that meets a
// function of the other style would end the process. It is better told here.
#ifdef CL_HPP_
#error "loratune's engine: CL/opencl.hpp was included before it without CL_HPP_ENABLE_EXCEPTIONS"
#endif
#define CL_HPP_ENABLE_EXCEPTIONS
#endif
#include <CL/opencl.hpp>
#include <string>
#include <vector>

#include "loratune/variants/device_info.h"

namespace loratune {

// Plain data, of which each thread may have copies. The functions below may be called by any number
// of threads at a time.
struct Device {
  cl::Device handle;
  DeviceInfo info;
};

// Every device of every platform that can be used, in the ICD loader's order. What cannot be used
// has a line with its name and the reason in `complaints`: a driver without a platform, a platform
// that fails or has no device, and a device that does not answer, is not available or has no
// compiler. Where no driver is installed the list is empty and there is no complaint.
std::vector<Device> list_devices(std::vector<std::string>& complaints);

// Throws cl::Error if the device does not answer.
DeviceInfo query_device(const cl::Device& device);

// `CL_OUT_OF_RESOURCES` for -5; a number in words for codes unknown here.
std::string error_name(cl_int code);

// `clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES`.
std::string describe(const cl::Error& error);

}  // namespace loratune
