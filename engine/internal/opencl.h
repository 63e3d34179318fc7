// OpenCL as our own sources call it: objects that release themselves, and calls that throw
// OpenclError. Not CL/opencl.hpp: its inline functions differ with the macros that it is included
// with, and the linker keeps one copy of each for the whole program. A program that links the
// engine may include it with macros of its own; here nothing has the same names.
#pragma once

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "loratune/engine/device.h"

namespace loratune {

struct Release {
  void operator()(cl_context object) const { clReleaseContext(object); }
  void operator()(cl_command_queue object) const { clReleaseCommandQueue(object); }
  void operator()(cl_mem object) const { clReleaseMemObject(object); }
  void operator()(cl_program object) const { clReleaseProgram(object); }
  void operator()(cl_kernel object) const { clReleaseKernel(object); }
  void operator()(cl_event object) const { clReleaseEvent(object); }
};

// Owns one reference: `Handle<cl_mem>`.
template <class T>
using Handle = std::unique_ptr<std::remove_pointer_t<T>, Release>;

// Throws OpenclError unless the code is CL_SUCCESS.
void require_success(cl_int code, const char* call);

// A reference of one's own to another's object. A buffer may be null.
Handle<cl_context> retain(cl_context context);
Handle<cl_command_queue> retain(cl_command_queue queue);
Handle<cl_mem> retain(cl_mem buffer);

Handle<cl_context> make_context(cl_device_id device);
Handle<cl_command_queue> make_queue(cl_context context, cl_device_id device,
                                    bool profiling = false);
// Not initialized where `data` is null, else with a copy of it.
Handle<cl_mem> make_buffer(cl_context context, std::size_t bytes, const void* data = nullptr,
                           cl_mem_flags access = CL_MEM_READ_WRITE);
// `bytes` bytes of another buffer, from `begin` on; the part keeps the buffer.
Handle<cl_mem> part_of(cl_mem buffer, std::size_t begin, std::size_t bytes);
Handle<cl_program> make_program(cl_context context, const std::string& source);
void build_program(cl_program program, cl_device_id device, const std::string& options = {});
std::string build_log(cl_program program, cl_device_id device);
Handle<cl_kernel> make_kernel(cl_program program, const std::string& name);

// The value of a plain type, or the values of an array, that clGetDeviceInfo gives.
template <class T>
T device_info(cl_device_id device, cl_device_info what) {
  T value{};
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a handle it is the handle's size.
  require_success(clGetDeviceInfo(device, what, sizeof(value), &value, nullptr), "clGetDeviceInfo");
  return value;
}

template <class T>
std::vector<T> device_infos(cl_device_id device, cl_device_info what) {
  std::size_t bytes = 0;
  require_success(clGetDeviceInfo(device, what, 0, nullptr, &bytes), "clGetDeviceInfo");
  std::vector<T> values(bytes / sizeof(T));
  require_success(clGetDeviceInfo(device, what, bytes, values.data(), nullptr), "clGetDeviceInfo");
  return values;
}

std::string device_text(cl_device_id device, cl_device_info what);
std::string platform_text(cl_platform_id platform, cl_platform_info what);
std::vector<cl_device_id> devices_of(cl_platform_id platform);
std::vector<cl_device_id> devices_of(cl_context context);
cl_context context_of(cl_command_queue queue);
std::size_t buffer_bytes(cl_mem buffer);
// Why a caller's memory object is no buffer of the context or, where kernels are to write to it, is
// none that they may read and write; nothing where it is one. Not for each run: it asks the driver
// up to three times.
enum class Use : std::uint8_t { commands, kernels_write };
std::string unfit_reason(cl_mem buffer, cl_context context, Use use);

// The buffer that another is a part of, and where the part begins in it, in bytes; of one that is
// no part, itself.
struct Whole {
  cl_mem buffer;
  std::size_t begin;
};
Whole whole_of(cl_mem buffer);

template <class T>
void set_argument(cl_kernel kernel, cl_uint index, const T& value) {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a handle it is the handle's size.
  require_success(clSetKernelArg(kernel, index, sizeof(T), &value), "clSetKernelArg");
}

// Reads and writes wait for what came before them on the queue, and for their own end.
void read_buffer(cl_command_queue queue, cl_mem buffer, std::size_t offset, std::size_t bytes,
                 void* data);
void write_buffer(cl_command_queue queue, cl_mem buffer, std::size_t offset, std::size_t bytes,
                  const void* data);
template <class T>
void fill_buffer(cl_command_queue queue, cl_mem buffer, T value, std::size_t bytes,
                 cl_event* event = nullptr) {
  require_success(
      clEnqueueFillBuffer(queue, buffer, &value, sizeof(value), 0, bytes, 0, nullptr, event),
      "clEnqueueFillBuffer");
}

// From the beginning of one buffer to `offset` in the other.
void copy_buffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t offset,
                 std::size_t bytes);

using Sizes = std::array<std::size_t, 3>;
// Enqueues a copy of rows of bytes. Where they begin, and how far they are apart, in bytes.
struct Rows {
  cl_mem buffer;
  std::size_t begin, pitch;
};
void copy_rows(cl_command_queue queue, const Rows& from, const Rows& to, std::size_t row_bytes,
               std::size_t rows);
// Enqueues one launch of the kernel.
void launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const Sizes& global,
            const Sizes& local, cl_event* event = nullptr);
// The same of `items` work-items in groups of `local`.
void launch(cl_command_queue queue, cl_kernel kernel, std::size_t items, std::size_t local);
void flush(cl_command_queue queue);
void finish(cl_command_queue queue);

}  // namespace loratune
