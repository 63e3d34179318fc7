// What a runtime does with the package: load a tuned file, pick, and go on without one; read an
// adapter, and hear why not.
#include <loratune/adapters/load_adapter.h>
#include <loratune/dispatch/dispatcher.h>

#ifdef ENGINE
#include <loratune/engine/engine.h>
#endif

#include <iostream>

int main(int argc, char** argv) {
  loratune::DeviceInfo device;
  device.name = "Fictional F100";
  device.max_work_group_size = 256;
  device.local_mem_bytes = 32768;
  device.max_alloc_bytes = 1 << 30;
  if (argc != 2) return 2;
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
