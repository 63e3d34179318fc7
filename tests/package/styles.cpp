// A consumer that has CL/opencl.hpp beside the engine, with settings of its own: a later version,
// errors as exceptions (EXCEPTIONS) or as codes, and its include before ours or behind it
// (OURS_FIRST). Each of the two must fail in its own way, and both work together where there is a
// device.
#ifdef OURS_FIRST
#include <loratune/engine/engine.h>
#endif

#define CL_HPP_TARGET_OPENCL_VERSION 300
#define CL_HPP_MINIMUM_OPENCL_VERSION 200
#ifdef EXCEPTIONS
#define CL_HPP_ENABLE_EXCEPTIONS
#endif
#include <CL/opencl.hpp>

#ifndef OURS_FIRST
#include <loratune/engine/engine.h>
#endif
#include <loratune/dispatch/dispatcher.h>

#include <iostream>
#include <vector>

namespace {

// The code of a buffer that cannot be made, told as the consumer's style has it.
cl_int told_by_opencl_hpp() {
#ifdef EXCEPTIONS
  try {
    const cl::Buffer none(cl::Context(), CL_MEM_READ_WRITE, 4);
    return CL_SUCCESS;
  } catch (const cl::Error& error) {
    return error.err();
  }
#else
  cl_int code = CL_SUCCESS;
  const cl::Buffer none(cl::Context(), CL_MEM_READ_WRITE, 4, nullptr, &code);
  return code;
#endif
}

cl_int told_by_engine() {
  try {
    const loratune::Engine none(cl_context{}, cl_device_id{});
    return CL_SUCCESS;
  } catch (const loratune::OpenclError& error) {
    return error.code();
  }
}

// Whether an engine in a context of opencl.hpp's computes y = 1 + 1 * 4 * 1.
bool computes(const cl::Device& device) {
  const cl::Context context(device);
  const cl::CommandQueue queue(context, device);
  loratune::Engine engine(context(), device());
  loratune::Problem problem;
  problem.m = problem.k = problem.n = 4;
  problem.rank = 1;
  std::vector<float> ones(16, 1);
  const auto buffer = [&] {
    return cl::Buffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 16 * sizeof(float),
                      ones.data());
  };
  const cl::Buffer x = buffer();
  const cl::Buffer y = buffer();
  const loratune::Choice choice = loratune::Dispatcher(engine.info()).pick(problem);
  const auto plan = choice.variant->plan(problem, choice.config, engine.info());
  const loratune::Built built = engine.build(problem, plan);
  if (!built.executable) {
    std::cerr << built.detail << "\n";
    return false;
  }
  loratune::Weights weights(context(), problem, ones.data(), ones.data());
  loratune::Operands operands;
  operands.x = x();
  operands.y = y();
  std::tie(operands.a, operands.b) = weights.buffers(queue(), plan);
  std::vector<cl_event> events;
  built.executable->enqueue(queue(), operands, &events);
  const cl::Event last(events.back(), true);  // retained by it, and released below
  for (const cl_event event : events) clReleaseEvent(event);
  std::vector<float> result(16);
  const std::vector<cl::Event> waits = {last};
  queue.enqueueReadBuffer(y, CL_TRUE, 0, 16 * sizeof(float), result.data(), &waits);
  return result == std::vector<float>(16, 5);
}

}  // namespace

int main() {
  if (told_by_opencl_hpp() != CL_INVALID_CONTEXT || told_by_engine() != CL_INVALID_CONTEXT) {
    std::cerr << "an error was not told in the style of its header\n";
    return 1;
  }
  std::vector<std::string> complaints;
  for (const loratune::Device& device : loratune::list_devices(complaints)) {
    if (!computes(cl::Device(device.handle, true))) {
      std::cerr << device.info.name << ": wrong\n";
      return 1;
    }
  }
  return 0;
}
