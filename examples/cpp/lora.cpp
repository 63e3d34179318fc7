// From a device to y with the C++ libraries: a tuned file, the engine, an adapter's weights, one
// product, and the same computed in plain C++.
//
//     cmake -S examples/cpp -B build/lora -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build/lora
//     build/lora/lora [TUNED_FILE]
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <loratune/dispatch/dispatcher.h>
#include <loratune/engine/engine.h>
#include <loratune/engine/forward.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

void check(cl_int code, const char* call) {
  if (code == CL_SUCCESS) return;
  std::fprintf(stderr, "%s: %s\n", call, loratune::error_name(code).c_str());
  std::exit(1);
}

std::vector<float> random_numbers(std::int64_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return uniform(random); });
  return values;
}

double wanted(const loratune::Problem& p, std::int64_t row, std::int64_t col,
              const std::vector<float>& x, const std::vector<float>& a,
              const std::vector<float>& b) {
  const auto at = [](const std::vector<float>& matrix, std::int64_t i) {
    return static_cast<double>(matrix[static_cast<std::size_t>(i)]);
  };
  double sum = 0;
  for (std::int64_t r = 0; r < p.rank; ++r) {
    double h = 0;
    for (std::int64_t l = 0; l < p.k; ++l) h += at(x, row * p.k + l) * at(a, r * p.k + l);
    sum += h * at(b, col * p.rank + r);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> complaints;
  const std::vector<loratune::Device> devices = loratune::list_devices(complaints);
  if (devices.empty()) return 77;
  loratune::Engine engine(devices.front());
  loratune::Dispatcher dispatcher(engine.info());
  if (argc > 1) {
    loratune::Dispatcher::Loaded loaded = loratune::Dispatcher::load(argv[1], engine.info());
    if (!loaded.dispatcher) return std::fprintf(stderr, "%s\n", loaded.error.c_str()), 1;
    dispatcher = std::move(*loaded.dispatcher);
  }

  loratune::Problem problem;
  problem.m = 3;
  problem.k = 256;
  problem.n = 192;
  problem.rank = 8;
  const std::vector<float> x = random_numbers(problem.m * problem.k, 1);
  const std::vector<float> a = random_numbers(problem.rank * problem.k, 2);
  const std::vector<float> b = random_numbers(problem.n * problem.rank, 3);
  const std::vector<float> base = random_numbers(problem.m * problem.n, 4);

  cl_int code = CL_SUCCESS;
  cl_context context = engine.context();
  cl_command_queue queue = clCreateCommandQueue(context, engine.device(), 0, &code);
  check(code, "clCreateCommandQueue");
  const auto buffer = [&](const std::vector<float>& values) {
    cl_mem made = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                 4 * values.size(), const_cast<float*>(values.data()), &code);
    check(code, "clCreateBuffer");
    return made;
  };
  loratune::Operands operands;
  operands.x = buffer(x);
  operands.y = buffer(base);
  operands.scale = 0.5F;
  operands.m = problem.m;
  loratune::Weights weights(context, problem, a.data(), b.data());
  loratune::Forward forward(engine, dispatcher, problem);
  const std::string why = forward.enqueue(queue, weights, operands);
  if (!why.empty()) return std::fprintf(stderr, "%s\n", why.c_str()), 1;
  std::vector<float> got(base.size());
  check(clEnqueueReadBuffer(queue, operands.y, CL_TRUE, 0, 4 * got.size(), got.data(), 0, nullptr,
                            nullptr),
        "clEnqueueReadBuffer");

  double worst = 0;
  for (std::int64_t i = 0; i < problem.m; ++i) {
    for (std::int64_t j = 0; j < problem.n; ++j) {
      const auto at = static_cast<std::size_t>(i * problem.n + j);
      const double sum = static_cast<double>(base[at]) + 0.5 * wanted(problem, i, j, x, a, b);
      worst = std::max(worst, std::abs(static_cast<double>(got[at]) - sum) / (1 + std::abs(sum)));
    }
  }
  clReleaseMemObject(operands.x);
  clReleaseMemObject(operands.y);
  clReleaseCommandQueue(queue);
  std::printf("largest error %.1e\n", worst);
  return worst < 1e-5 ? 0 : 1;
}
