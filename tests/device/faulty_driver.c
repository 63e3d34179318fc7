// An OpenCL driver that fails on purpose: preloaded before the ICD loader, it stands in front of
// some of its calls. LORATUNE_FAULT says what goes wrong:
//   build:hang       a build never ends; where it begins, the file $LORATUNE_HANGS is made
//   build:memory     a build takes memory until it gets no more, and then gives up as compilers do
//   once:build       the first build of a plan ends its process, once in all: it makes the file
//                    $LORATUNE_ONCE, which must not be there yet
//   once:NAME        so does the second run of kernel NAME in a process: the first belongs to the
//                    build, the second to the check
//   run:NAME         enqueuing kernel NAME (* for any) is CL_OUT_OF_RESOURCES
//   finish:NAME      so is clFinish after kernel NAME, and it never ran: how a lost device shows
//   exit:NAME        enqueuing kernel NAME ends the process as exit(0) does
//   abort:NAME       or as abort() does
//   hang:NAME        or never returns
//                    with $LORATUNE_ONCE these three happen once: where this file is made
//   context:exit     making a context ends the process with exit(0)
//   context:crash    making a context ends the process
//   platform:cut     asking for platforms ends $OCL_ICD_FILENAMES at its first colon, as the loader
//                    of Khronos leaves it, and finds none where the list has one name alone
//   platform:exit    asking for platforms ends the process with exit(0)
//   platform:broken  there is a second platform, and it fails to list its devices
//   platform:hang    there is a second platform, and it never lists its devices
//   platform:abort   there is a second platform, and listing its devices ends the process
//   device:mute      nothing can be asked of the first device
//   device:hang      asking something of the first device never returns
//   device:abort     or ends the process
//   device:away      the first device is not available
//   device:plain     the first device has no compiler
//   device:name      name, vendor and driver of every device are $LORATUNE_NAME
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fault(const char* name) {
  const char* wanted = getenv("LORATUNE_FAULT");
  return wanted != NULL && strcmp(wanted, name) == 0;
}

// Whether the fault is `what` and of this kernel.
static int fault_of(const char* what, cl_kernel kernel) {
  const char* wanted = getenv("LORATUNE_FAULT");
  const size_t length = strlen(what);
  char name[256] = "";
  if (wanted == NULL || strncmp(wanted, what, length) != 0) return 0;
  if (strcmp(wanted + length, "*") == 0) return 1;
  clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof(name), name, NULL);
  return strcmp(wanted + length, name) == 0;
}

// Ends the process unless that was done before.
static void end_once(void) {
  if (getenv("LORATUNE_ONCE") == NULL) return;
  if (open(getenv("LORATUNE_ONCE"), O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0) abort();
}

#define NEXT(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id* devices,
                      const char* options, void(CL_CALLBACK* notify)(cl_program, void*),
                      void* data) {
  // The first is of the probes, before any plan's.
  static int builds = 0;
  if (++builds > 1) {
    if (fault("build:hang") && getenv("LORATUNE_HANGS") != NULL) {
      close(open(getenv("LORATUNE_HANGS"), O_CREAT | O_WRONLY, 0644));
    }
    while (fault("build:hang")) pause();
    if (fault("once:build")) end_once();
    while (fault("build:memory")) {
      const size_t bytes = (size_t)16 << 20;
      void* more = malloc(bytes);
      if (more == NULL) abort();
      memset(more, 1, bytes);
    }
  }
  return NEXT(clBuildProgram)(program, count, devices, options, notify, data);
}

// Whether the fault is to happen: always, or only to the process that makes $LORATUNE_ONCE.
static int now(void) {
  const char* once = getenv("LORATUNE_ONCE");
  const int file = once == NULL ? 0 : open(once, O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (file > 0) close(file);
  return file >= 0;
}

static int lost = 0;

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                              const size_t* offset, const size_t* global, const size_t* local,
                              cl_uint waits, const cl_event* wait, cl_event* event) {
  static int runs = 0;
  if (fault_of("once:", kernel) && ++runs == 2) end_once();
  if (fault_of("run:", kernel)) return CL_OUT_OF_RESOURCES;
  if (fault_of("finish:", kernel)) lost = 1;
  if (fault_of("exit:", kernel) && now()) exit(0);
  if (fault_of("abort:", kernel) && now()) abort();
  if (fault_of("hang:", kernel) && now()) {
    for (;;) pause();
  }
  return NEXT(clEnqueueNDRangeKernel)(queue, kernel, dims, offset, global, local, waits, wait,
                                      event);
}

cl_int clFinish(cl_command_queue queue) {
  return lost ? CL_OUT_OF_RESOURCES : NEXT(clFinish)(queue);
}

cl_context clCreateContext(const cl_context_properties* properties, cl_uint count,
                           const cl_device_id* devices,
                           void(CL_CALLBACK* notify)(const char*, const void*, size_t, void*),
                           void* data, cl_int* error) {
  if (fault("context:exit")) exit(0);
  if (fault("context:crash")) abort();
  return NEXT(clCreateContext)(properties, count, devices, notify, data, error);
}

static int two_platforms(void) {
  return fault("platform:broken") || fault("platform:hang") || fault("platform:abort");
}

// Cuts the list of drivers, unless that was done before this process began.
static int driver_is_cut_off(void) {
  static int asked = 0, cut_off = 0;
  if (!asked++) {
    char* names = getenv("OCL_ICD_FILENAMES");
    cut_off = names == NULL || strchr(names, ':') == NULL;
    if (!cut_off) *strchr(names, ':') = 0;
  }
  return cut_off;
}

// The second platform is the first one again, so that the loader can follow the handle.
cl_int clGetPlatformIDs(cl_uint room, cl_platform_id* platforms, cl_uint* count) {
  cl_uint found = 0;
  if (fault("platform:cut") && driver_is_cut_off()) {
    if (count != NULL) *count = 0;
    return CL_PLATFORM_NOT_FOUND_KHR;
  }
  if (fault("platform:exit")) exit(0);
  if (!two_platforms()) return NEXT(clGetPlatformIDs)(room, platforms, count);
  if (count != NULL) *count = 2;
  if (platforms == NULL) return CL_SUCCESS;
  const cl_int status = NEXT(clGetPlatformIDs)(1, platforms, &found);
  if (room > 1) platforms[1] = platforms[0];
  return status;
}

static cl_device_id first_device = NULL;

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint room,
                      cl_device_id* devices, cl_uint* count) {
  static int calls = 0;  // two for each platform: how many, and which
  if (two_platforms() && ++calls > 2) {
    if (fault("platform:abort")) abort();
    while (fault("platform:hang")) pause();
    return CL_OUT_OF_HOST_MEMORY;
  }
  const cl_int status = NEXT(clGetDeviceIDs)(platform, type, room, devices, count);
  if (status == CL_SUCCESS && devices != NULL && first_device == NULL) first_device = devices[0];
  return status;
}

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t room, void* value,
                       size_t* size) {
  const int first = device == first_device;
  if (first && fault("device:mute")) return CL_OUT_OF_HOST_MEMORY;
  if (first && fault("device:abort")) abort();
  while (first && fault("device:hang")) pause();
  if (fault("device:name") &&
      (what == CL_DEVICE_NAME || what == CL_DEVICE_VENDOR || what == CL_DRIVER_VERSION)) {
    const char* name = getenv("LORATUNE_NAME");
    if (size != NULL) *size = strlen(name) + 1;
    if (value != NULL && room > strlen(name)) memcpy(value, name, strlen(name) + 1);
    return CL_SUCCESS;
  }
  const cl_int status = NEXT(clGetDeviceInfo)(device, what, room, value, size);
  const int hidden = (what == CL_DEVICE_AVAILABLE && fault("device:away")) ||
                     (what == CL_DEVICE_COMPILER_AVAILABLE && fault("device:plain"));
  if (first && hidden && value != NULL) *(cl_bool*)value = CL_FALSE;
  return status;
}
