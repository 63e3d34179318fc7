// OpenCL's handles as every version of CL/cl.h declares them. The engine's interface names them
// and includes no header of OpenCL: what such a header declares depends on macros, and these are
// the user's to choose, before an include of the user's own.
//
// Threads: what a handle stands for follows OpenCL's rules; the handle is plain data.
#pragma once

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the names are OpenCL's.
using cl_device_id = struct _cl_device_id*;
using cl_context = struct _cl_context*;
using cl_command_queue = struct _cl_command_queue*;
using cl_mem = struct _cl_mem*;
using cl_event = struct _cl_event*;
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
