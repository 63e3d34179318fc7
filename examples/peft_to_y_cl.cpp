// The same with OpenCL: the engine runs the kernel that a dispatcher picks for the layer's shape.
//
//     example_peft_to_y_cl FOLDER MODULE [TUNED_FILE]
#include <loratune/adapters/load_adapter.h>
#include <loratune/layers/device_forward.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  const loratune::LoadedAdapter loaded = loratune::load_adapter(argv[1]);
  if (!loaded.adapter) return std::fprintf(stderr, "%s\n", loaded.error.c_str()), 1;
  std::string why;
  const loratune::LoraModule* module = loratune::find_module(*loaded.adapter, argv[2], why);
  if (module == nullptr) return std::fprintf(stderr, "%s\n", why.c_str()), 1;
  const loratune::LoraLinear layer = loratune::lora_linear(*module);

  std::vector<std::string> complaints;
  const auto devices = loratune::list_devices(complaints);
  if (devices.empty()) return 77;
  loratune::Engine engine(devices.front());
  loratune::Dispatcher dispatcher(engine.info());
  if (argc == 4) {
    auto tuned = loratune::Dispatcher::load(argv[3], engine.info());
    if (!tuned.dispatcher) return std::fprintf(stderr, "%s\n", tuned.error.c_str()), 1;
    dispatcher = std::move(*tuned.dispatcher);
  }
  const std::vector<float> x(static_cast<std::size_t>(layer.in), 0.5F);
  std::vector<float> y(static_cast<std::size_t>(layer.out),
                       0.015F * static_cast<float>(layer.in));  // a base
  loratune::DeviceForward forward(engine, dispatcher);
  forward.forward(layer, loratune::Dtype::f32, 1, x, y);
  for (const float value : y) std::printf("%.6f\n", static_cast<double>(value));
  return 0;
}
