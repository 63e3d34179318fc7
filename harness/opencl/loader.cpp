// OpenCL's functions for a lora-bench that is linked with no libOpenCL: each is looked up, at its
// first call, in the library that the machine has. Phones have the vendor's, and no loader of ICDs.
// Built with LORATUNE_OPENCL_DLOPEN.
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>

namespace {

constexpr const char* kLibraries[] = {
    "libOpenCL.so.1",
    "libOpenCL.so",
    "/vendor/lib64/libOpenCL.so",
    "/system/vendor/lib64/libOpenCL.so",
    "/vendor/lib64/egl/libGLES_mali.so",
    "/system/lib64/libOpenCL.so",
};

constexpr cl_int kNoPlatform = -1001;  // CL_PLATFORM_NOT_FOUND_KHR

void* open_library() {
  for (const char* name : kLibraries) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

// Null where there is no library, or where it has no such function.
template <class F>
F* find(const char* name) {
  static void* const library = open_library();
  return library == nullptr ? nullptr : reinterpret_cast<F*>(dlsym(library, name));
}

}  // namespace

// Functions that return a code.
#define LORATUNE_CODE(NAME, PARAMETERS, ARGUMENTS)                         \
  extern "C" cl_int CL_API_CALL NAME PARAMETERS {                          \
    static auto* const found = find<cl_int CL_API_CALL PARAMETERS>(#NAME); \
    return found == nullptr ? kNoPlatform : found ARGUMENTS;               \
  }
// Functions that return an object, and the code through their last parameter.
#define LORATUNE_OBJECT(TYPE, NAME, PARAMETERS, ARGUMENTS)               \
  extern "C" TYPE CL_API_CALL NAME PARAMETERS {                          \
    static auto* const found = find<TYPE CL_API_CALL PARAMETERS>(#NAME); \
    if (found != nullptr) return found ARGUMENTS;                        \
    if (code != nullptr) *code = kNoPlatform;                            \
    return nullptr;                                                      \
  }

LORATUNE_CODE(clGetPlatformIDs, (cl_uint a, cl_platform_id* b, cl_uint* c), (a, b, c))
LORATUNE_CODE(clGetPlatformInfo,
              (cl_platform_id a, cl_platform_info b, size_t c, void* d, size_t* e), (a, b, c, d, e))
LORATUNE_CODE(clGetDeviceIDs,
              (cl_platform_id a, cl_device_type b, cl_uint c, cl_device_id* d, cl_uint* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetDeviceInfo, (cl_device_id a, cl_device_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetContextInfo, (cl_context a, cl_context_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetCommandQueueInfo,
              (cl_command_queue a, cl_command_queue_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetMemObjectInfo, (cl_mem a, cl_mem_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetProgramInfo, (cl_program a, cl_program_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetProgramBuildInfo,
              (cl_program a, cl_device_id b, cl_program_build_info c, size_t d, void* e, size_t* f),
              (a, b, c, d, e, f))
LORATUNE_CODE(clGetKernelWorkGroupInfo,
              (cl_kernel a, cl_device_id b, cl_kernel_work_group_info c, size_t d, void* e,
               size_t* f),
              (a, b, c, d, e, f))
LORATUNE_CODE(clGetEventInfo, (cl_event a, cl_event_info b, size_t c, void* d, size_t* e),
              (a, b, c, d, e))
LORATUNE_CODE(clGetEventProfilingInfo,
              (cl_event a, cl_profiling_info b, size_t c, void* d, size_t* e), (a, b, c, d, e))
LORATUNE_CODE(clRetainContext, (cl_context a), (a))
LORATUNE_CODE(clRetainCommandQueue, (cl_command_queue a), (a))
LORATUNE_CODE(clRetainMemObject, (cl_mem a), (a))
LORATUNE_CODE(clRetainEvent, (cl_event a), (a))
LORATUNE_CODE(clReleaseContext, (cl_context a), (a))
LORATUNE_CODE(clReleaseCommandQueue, (cl_command_queue a), (a))
LORATUNE_CODE(clReleaseMemObject, (cl_mem a), (a))
LORATUNE_CODE(clReleaseProgram, (cl_program a), (a))
LORATUNE_CODE(clReleaseKernel, (cl_kernel a), (a))
LORATUNE_CODE(clReleaseEvent, (cl_event a), (a))
LORATUNE_CODE(clBuildProgram,
              (cl_program a, cl_uint b, const cl_device_id* c, const char* d,
               void(CL_CALLBACK* e)(cl_program, void*), void* f),
              (a, b, c, d, e, f))
LORATUNE_CODE(clSetKernelArg, (cl_kernel a, cl_uint b, size_t c, const void* d), (a, b, c, d))
LORATUNE_CODE(clEnqueueNDRangeKernel,
              (cl_command_queue a, cl_kernel b, cl_uint c, const size_t* d, const size_t* e,
               const size_t* f, cl_uint g, const cl_event* h, cl_event* i),
              (a, b, c, d, e, f, g, h, i))
LORATUNE_CODE(clEnqueueNativeKernel,
              (cl_command_queue a, void(CL_CALLBACK* b)(void*), void* c, size_t d, cl_uint e,
               const cl_mem* f, const void** g, cl_uint h, const cl_event* i, cl_event* j),
              (a, b, c, d, e, f, g, h, i, j))
LORATUNE_CODE(clEnqueueReadBuffer,
              (cl_command_queue a, cl_mem b, cl_bool c, size_t d, size_t e, void* f, cl_uint g,
               const cl_event* h, cl_event* i),
              (a, b, c, d, e, f, g, h, i))
LORATUNE_CODE(clEnqueueWriteBuffer,
              (cl_command_queue a, cl_mem b, cl_bool c, size_t d, size_t e, const void* f,
               cl_uint g, const cl_event* h, cl_event* i),
              (a, b, c, d, e, f, g, h, i))
LORATUNE_CODE(clEnqueueCopyBufferRect,
              (cl_command_queue a, cl_mem b, cl_mem c, const size_t* d, const size_t* e,
               const size_t* f, size_t g, size_t h, size_t i, size_t j, cl_uint k,
               const cl_event* l, cl_event* m),
              (a, b, c, d, e, f, g, h, i, j, k, l, m))
LORATUNE_CODE(clEnqueueCopyBuffer,
              (cl_command_queue a, cl_mem b, cl_mem c, size_t d, size_t e, size_t f, cl_uint g,
               const cl_event* h, cl_event* i),
              (a, b, c, d, e, f, g, h, i))
LORATUNE_CODE(clEnqueueFillBuffer,
              (cl_command_queue a, cl_mem b, const void* c, size_t d, size_t e, size_t f, cl_uint g,
               const cl_event* h, cl_event* i),
              (a, b, c, d, e, f, g, h, i))
LORATUNE_CODE(clEnqueueMarkerWithWaitList,
              (cl_command_queue a, cl_uint b, const cl_event* c, cl_event* d), (a, b, c, d))
LORATUNE_CODE(clEnqueueBarrierWithWaitList,
              (cl_command_queue a, cl_uint b, const cl_event* c, cl_event* d), (a, b, c, d))
LORATUNE_CODE(clSetEventCallback,
              (cl_event a, cl_int b, void(CL_CALLBACK* c)(cl_event, cl_int, void*), void* d),
              (a, b, c, d))
LORATUNE_CODE(clWaitForEvents, (cl_uint a, const cl_event* b), (a, b))
LORATUNE_CODE(clFlush, (cl_command_queue a), (a))
LORATUNE_CODE(clFinish, (cl_command_queue a), (a))
LORATUNE_OBJECT(cl_context, clCreateContext,
                (const cl_context_properties* a, cl_uint b, const cl_device_id* c,
                 void(CL_CALLBACK* d)(const char*, const void*, size_t, void*), void* e,
                 cl_int* code),
                (a, b, c, d, e, code))
LORATUNE_OBJECT(cl_command_queue, clCreateCommandQueue,
                (cl_context a, cl_device_id b, cl_command_queue_properties c, cl_int* code),
                (a, b, c, code))
LORATUNE_OBJECT(cl_mem, clCreateBuffer,
                (cl_context a, cl_mem_flags b, size_t c, void* d, cl_int* code), (a, b, c, d, code))
LORATUNE_OBJECT(cl_mem, clCreateSubBuffer,
                (cl_mem a, cl_mem_flags b, cl_buffer_create_type c, const void* d, cl_int* code),
                (a, b, c, d, code))
LORATUNE_OBJECT(cl_program, clCreateProgramWithSource,
                (cl_context a, cl_uint b, const char** c, const size_t* d, cl_int* code),
                (a, b, c, d, code))
LORATUNE_OBJECT(cl_program, clCreateProgramWithBinary,
                (cl_context a, cl_uint b, const cl_device_id* c, const size_t* d,
                 const unsigned char** e, cl_int* f, cl_int* code),
                (a, b, c, d, e, f, code))
LORATUNE_OBJECT(cl_kernel, clCreateKernel, (cl_program a, const char* b, cl_int* code),
                (a, b, code))
