// What a runtime does with the package: load a tuned file, pick, and go on without one; compute on
// the host; read an adapter, and hear why not.
#include <loratune/adapters/load_adapter.h>
#include <loratune/dispatch/dispatcher.h>
#include <loratune/host/forward_host.h>

#ifdef ENGINE
#include <loratune/engine/engine.h>
#endif

#include <iostream>
#include <string>

// y += 0.5 (x A^T) B^T of one row, on the host: 1 + 0.5 * (1 * 3 + 2 * 4) * 2.
static bool computes_on_the_host() {
  loratune::Problem problem;
  problem.m = problem.n = 1;
  problem.k = 2;
  problem.rank = 1;
  const float x[] = {1, 2};
  const float a[] = {3, 4};
  const float b = 2;
  float y = 1;
  const std::string why = loratune::forward_host(problem, a, &b, {x, &y, 0, 0, 0.5F});
  std::cout << loratune::host_instruction_set() << ": " << y << " " << why << "\n";
  return why.empty() && y == 12;
}

int main(int argc, char** argv) {
  loratune::DeviceInfo device;
  device.name = "Fictional F100";
  device.max_work_group_size = 256;
  device.local_mem_bytes = 32768;
  device.max_alloc_bytes = 1 << 30;
  if (argc != 2) return 2;
  if (!computes_on_the_host()) return 1;
  auto loaded = loratune::Dispatcher::load(argv[1], device);
  if (!loaded.dispatcher) {
    std::cerr << loaded.error << "\n";
    return 1;
  }
  if (loratune::Dispatcher::load("absent.json", device).error.empty()) return 1;

  if (loratune::load_adapter("absent").error.empty()) return 1;

  std::string why;
  const auto problem = loratune::parse_problem("m1_k1024_n1024_r8_f16_acc", why);
  const loratune::Choice choice = loaded.dispatcher->pick(*problem);
  std::cout << loaded.dispatcher->explain(*problem);
  const auto plan = choice.variant->plan(*problem, choice.config, device);
#ifdef ENGINE
  // Only linked: a machine that builds this need not have a device.
  using Make =
      loratune::Weights (*)(cl_context, const loratune::Problem&, const void*, const void*);
  const Make make = [](cl_context context, const loratune::Problem& shape, const void* a,
                       const void* b) { return loratune::Weights(context, shape, a, b); };
  std::cout << "engine linked: " << (make != nullptr) << "\n";
#endif
  return plan.launches.empty() ? 1 : 0;
}
