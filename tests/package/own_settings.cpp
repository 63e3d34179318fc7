// A consumer with OpenCL settings of its own: a later version, and its own include of opencl.hpp
// before ours. Without exceptions (NO_EXCEPTIONS) it is told that the two do not go together.
#define CL_HPP_TARGET_OPENCL_VERSION 300
#define CL_HPP_MINIMUM_OPENCL_VERSION 200
#ifndef NO_EXCEPTIONS
#define CL_HPP_ENABLE_EXCEPTIONS 1
#endif
// What is tested is this order.
// clang-format off
#include <CL/opencl.hpp>
#include <loratune/engine/engine.h>
// clang-format on

#include <type_traits>

static_assert(CL_HPP_TARGET_OPENCL_VERSION == 300);
static_assert(std::is_class_v<loratune::Operands>);
