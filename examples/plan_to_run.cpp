// From a tuned file to y on buffers and a queue that the runtime owns:
//
//     example_plan_to_run [TUNED_FILE]
//
// Prints what was picked and why. Exit: 0 where y is what a loop on the host computes, 1 where it
// is not, 77 without a device.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <loratune/dispatch/dispatcher.h>
#include <loratune/engine/engine.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace {

void check(cl_int code, const char* call) {
  if (code == CL_SUCCESS) return;
  std::fprintf(stderr, "%s: %s\n", call, loratune::error_name(code).c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> complaints;
  const std::vector<loratune::Device> devices = loratune::list_devices(complaints);
  if (devices.empty()) return 77;
  const cl_device_id device = devices.front().handle;
  cl_int code = CL_SUCCESS;
  const cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
  check(code, "clCreateContext");
  const cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  check(code, "clCreateCommandQueue");

  loratune::Engine engine(context, device);
  loratune::Dispatcher dispatcher(engine.info());
  if (argc == 2) {
    auto loaded = loratune::Dispatcher::load(argv[1], engine.info());
    if (!loaded.dispatcher) return std::fprintf(stderr, "%s\n", loaded.error.c_str()), 1;
    dispatcher = std::move(*loaded.dispatcher);
  }

  loratune::Problem problem;  // y[16,512] += scale * (x[16,1024] A[8,1024]^T) B[512,8]^T
  problem.m = 16;
  problem.k = 1024;
  problem.n = 512;
  problem.rank = 8;
  const std::vector<float> x(16 * 1024, 0.5F), a(8 * 1024, 0.25F), b(512 * 8, 2.0F);
  std::vector<float> y(16 * 512, 1.0F);

  const auto flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
  const cl_mem x_buffer =
      clCreateBuffer(context, flags, x.size() * sizeof(float), const_cast<float*>(x.data()), &code);
  check(code, "clCreateBuffer");
  const cl_mem y_buffer = clCreateBuffer(context, flags, y.size() * sizeof(float), y.data(), &code);
  check(code, "clCreateBuffer");

  // Once for each shape: what to run, and the program of it.
  const loratune::Choice choice = dispatcher.pick(problem);
  const loratune::LaunchPlan plan = choice.variant->plan(problem, choice.config, engine.info());
  const loratune::Built built = engine.build(problem, plan);
  if (!built.executable) return std::fprintf(stderr, "%s\n", built.detail.c_str()), 1;

  // Once for each adapter: its weights, packed as the plan wants them.
  loratune::Weights weights(context, problem, a.data(), b.data());

  // Each call: where the operands stand, and one enqueue.
  loratune::Operands operands;
  operands.x = x_buffer;
  operands.y = y_buffer;
  operands.scale = 0.125F;
  weights.set(queue, plan, operands);
  built.executable->enqueue(queue, operands);
  check(clEnqueueReadBuffer(queue, y_buffer, CL_TRUE, 0, y.size() * sizeof(float), y.data(), 0,
                            nullptr, nullptr),
        "clEnqueueReadBuffer");

  std::printf("%s", dispatcher.explain(problem).c_str());
  clReleaseMemObject(x_buffer);
  clReleaseMemObject(y_buffer);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  const float h = 1024 * 0.5F * 0.25F;
  for (const float value : y) {
    if (std::fabs(value - (1.0F + 0.125F * 8 * h * 2.0F)) > 1e-3F) return 1;
  }
  return 0;
}
