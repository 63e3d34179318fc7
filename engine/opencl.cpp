#include "engine/internal/opencl.h"

namespace loratune {
namespace {

// What clGet*Info calls give as text, without the zero at its end.
template <class Get>
std::string text(const char* call, Get get) {
  std::size_t bytes = 0;
  require_success(get(0, nullptr, &bytes), call);
  std::string value(bytes, '\0');
  if (bytes > 0) require_success(get(bytes, value.data(), nullptr), call);
  if (!value.empty() && value.back() == '\0') value.pop_back();
  return value;
}

// What a function makes whose last argument is where it puts its error code.
template <class Make>
auto made(const char* call, Make make) {
  cl_int code = CL_SUCCESS;
  Handle<decltype(make(&code))> object(make(&code));
  require_success(code, call);
  return object;
}

}  // namespace

void require_success(cl_int code, const char* call) {
  if (code != CL_SUCCESS) throw OpenclError(code, call);
}

Handle<cl_context> retain(cl_context context) {
  require_success(clRetainContext(context), "clRetainContext");
  return Handle<cl_context>(context);
}

Handle<cl_command_queue> retain(cl_command_queue queue) {
  require_success(clRetainCommandQueue(queue), "clRetainCommandQueue");
  return Handle<cl_command_queue>(queue);
}

Handle<cl_mem> retain(cl_mem buffer) {
  if (buffer != nullptr) require_success(clRetainMemObject(buffer), "clRetainMemObject");
  return Handle<cl_mem>(buffer);
}

Handle<cl_context> make_context(cl_device_id device) {
  return made("clCreateContext", [&](cl_int* code) {
    return clCreateContext(nullptr, 1, &device, nullptr, nullptr, code);
  });
}

Handle<cl_command_queue> make_queue(cl_context context, cl_device_id device, bool profiling) {
  const cl_command_queue_properties properties = profiling ? CL_QUEUE_PROFILING_ENABLE : 0;
  return made("clCreateCommandQueue", [&](cl_int* code) {
    return clCreateCommandQueue(context, device, properties, code);
  });
}

Handle<cl_mem> make_buffer(cl_context context, std::size_t bytes, const void* data,
                           cl_mem_flags access) {
  const cl_mem_flags copied = data == nullptr ? 0 : CL_MEM_COPY_HOST_PTR;
  return made("clCreateBuffer", [&](cl_int* code) {
    return clCreateBuffer(context, access | copied, bytes, const_cast<void*>(data), code);
  });
}

Handle<cl_mem> part_of(cl_mem buffer, std::size_t begin, std::size_t bytes) {
  const cl_buffer_region region{begin, bytes};
  return made("clCreateSubBuffer", [&](cl_int* code) {
    return clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                             code);
  });
}

Handle<cl_program> make_program(cl_context context, const std::string& source) {
  const char* begin = source.data();
  const std::size_t length = source.size();
  return made("clCreateProgramWithSource", [&](cl_int* code) {
    return clCreateProgramWithSource(context, 1, &begin, &length, code);
  });
}

void build_program(cl_program program, cl_device_id device, const std::string& options) {
  require_success(clBuildProgram(program, 1, &device, options.c_str(), nullptr, nullptr),
                  "clBuildProgram");
}

std::string build_log(cl_program program, cl_device_id device) {
  return text("clGetProgramBuildInfo", [&](std::size_t bytes, void* value, std::size_t* size) {
    return clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, bytes, value, size);
  });
}

Handle<cl_kernel> make_kernel(cl_program program, const std::string& name) {
  return made("clCreateKernel",
              [&](cl_int* code) { return clCreateKernel(program, name.c_str(), code); });
}

std::string device_text(cl_device_id device, cl_device_info what) {
  return text("clGetDeviceInfo", [&](std::size_t bytes, void* value, std::size_t* size) {
    return clGetDeviceInfo(device, what, bytes, value, size);
  });
}

std::string platform_text(cl_platform_id platform, cl_platform_info what) {
  return text("clGetPlatformInfo", [&](std::size_t bytes, void* value, std::size_t* size) {
    return clGetPlatformInfo(platform, what, bytes, value, size);
  });
}

std::vector<cl_device_id> devices_of(cl_platform_id platform) {
  cl_uint count = 0;
  require_success(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count),
                  "clGetDeviceIDs");
  std::vector<cl_device_id> devices(count);
  if (count == 0) return devices;
  require_success(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices.data(), nullptr),
                  "clGetDeviceIDs");
  return devices;
}

std::vector<cl_device_id> devices_of(cl_context context) {
  std::size_t bytes = 0;
  require_success(clGetContextInfo(context, CL_CONTEXT_DEVICES, 0, nullptr, &bytes),
                  "clGetContextInfo");
  std::vector<cl_device_id> devices(bytes / sizeof(cl_device_id));
  require_success(clGetContextInfo(context, CL_CONTEXT_DEVICES, bytes, devices.data(), nullptr),
                  "clGetContextInfo");
  return devices;
}

cl_context context_of(cl_command_queue queue) {
  cl_context context = nullptr;
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a handle it is the handle's size.
  constexpr std::size_t kBytes = sizeof(context);
  require_success(clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, kBytes, &context, nullptr),
                  "clGetCommandQueueInfo");
  return context;
}

std::size_t buffer_bytes(cl_mem buffer) {
  std::size_t bytes = 0;
  require_success(clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof(bytes), &bytes, nullptr),
                  "clGetMemObjectInfo");
  return bytes;
}

std::string unfit_reason(cl_mem buffer, cl_context context, Use use) {
  const auto ask = [&](cl_mem_info what, std::size_t bytes, void* answer) {
    require_success(clGetMemObjectInfo(buffer, what, bytes, answer, nullptr), "clGetMemObjectInfo");
  };
  cl_mem_object_type type = 0;
  ask(CL_MEM_TYPE, sizeof type, &type);
  if (type != CL_MEM_OBJECT_BUFFER) return "the memory object is no buffer";
  cl_context own = nullptr;
  ask(CL_MEM_CONTEXT, sizeof(cl_context), static_cast<void*>(&own));
  if (own != context) return "the buffer is of another context";
  if (use == Use::commands) return {};
  cl_mem_flags flags = 0;
  ask(CL_MEM_FLAGS, sizeof flags, &flags);
  const bool both = (flags & (CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY)) == 0;
  return both ? "" : "the buffer is not for kernels that read and write it";
}

Whole whole_of(cl_mem buffer) {
  cl_mem parent = nullptr;
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a handle it is the handle's size.
  constexpr std::size_t kBytes = sizeof(parent);
  require_success(clGetMemObjectInfo(buffer, CL_MEM_ASSOCIATED_MEMOBJECT, kBytes, &parent, nullptr),
                  "clGetMemObjectInfo");
  if (parent == nullptr) return {buffer, 0};  // by one question, since every run asks
  Whole whole{parent, 0};
  require_success(
      clGetMemObjectInfo(buffer, CL_MEM_OFFSET, sizeof(whole.begin), &whole.begin, nullptr),
      "clGetMemObjectInfo");
  return whole;
}

void read_buffer(cl_command_queue queue, cl_mem buffer, std::size_t offset, std::size_t bytes,
                 void* data) {
  require_success(
      clEnqueueReadBuffer(queue, buffer, CL_TRUE, offset, bytes, data, 0, nullptr, nullptr),
      "clEnqueueReadBuffer");
}

void write_buffer(cl_command_queue queue, cl_mem buffer, std::size_t offset, std::size_t bytes,
                  const void* data) {
  require_success(
      clEnqueueWriteBuffer(queue, buffer, CL_TRUE, offset, bytes, data, 0, nullptr, nullptr),
      "clEnqueueWriteBuffer");
}

void copy_buffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t offset,
                 std::size_t bytes) {
  require_success(clEnqueueCopyBuffer(queue, from, to, 0, offset, bytes, 0, nullptr, nullptr),
                  "clEnqueueCopyBuffer");
}

void copy_rows(cl_command_queue queue, const Rows& from, const Rows& to, std::size_t row_bytes,
               std::size_t rows) {
  // OpenCL copies no rectangle within one buffer where the pitches differ.
  if (from.buffer == to.buffer && from.pitch != to.pitch) {
    for (std::size_t row = 0; row < rows; ++row) {
      require_success(
          clEnqueueCopyBuffer(queue, from.buffer, to.buffer, from.begin + row * from.pitch,
                              to.begin + row * to.pitch, row_bytes, 0, nullptr, nullptr),
          "clEnqueueCopyBuffer");
    }
    return;
  }
  const auto origin = [](const Rows& all) {
    return Sizes{all.begin % all.pitch, all.begin / all.pitch, 0};
  };
  const Sizes from_at = origin(from);
  const Sizes to_at = origin(to);
  const Sizes region = {row_bytes, rows, 1};
  require_success(
      clEnqueueCopyBufferRect(queue, from.buffer, to.buffer, from_at.data(), to_at.data(),
                              region.data(), from.pitch, 0, to.pitch, 0, 0, nullptr, nullptr),
      "clEnqueueCopyBufferRect");
}

void launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const Sizes& global,
            const Sizes& local, cl_event* event) {
  require_success(clEnqueueNDRangeKernel(queue, kernel, dims, nullptr, global.data(), local.data(),
                                         0, nullptr, event),
                  "clEnqueueNDRangeKernel");
}

void launch(cl_command_queue queue, cl_kernel kernel, std::size_t items, std::size_t local) {
  launch(queue, kernel, 1, {items, 1, 1}, {local, 1, 1});
}

void flush(cl_command_queue queue) { require_success(clFlush(queue), "clFlush"); }

void finish(cl_command_queue queue) { require_success(clFinish(queue), "clFinish"); }

}  // namespace loratune
