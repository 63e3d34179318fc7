// From the folder of an adapter to y = base + scale * (x A^T) B^T, without OpenCL:
//
//     example_peft_to_y FOLDER MODULE
//
// The base is the runtime's own: here its weights are numbers of 8 bits with one scale a row. Its
// output is what LoRA adds to, so nothing of the adapter needs to know how the base is stored.
#include <loratune/adapters/adapter_set.h>
#include <loratune/adapters/load_adapter.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const loratune::LoadedAdapter loaded = loratune::load_adapter(argv[1]);
  if (!loaded.adapter) return std::fprintf(stderr, "%s\n", loaded.error.c_str()), 1;
  loratune::AdapterSet set;
  set.attach("mine", loratune::layers_of(*loaded.adapter));
  const loratune::LoraLinear* layer = set.find("mine", argv[2]);
  if (layer == nullptr) return std::fprintf(stderr, "there is no module %s\n", argv[2]), 1;

  const auto in = static_cast<std::size_t>(layer->in);
  const std::vector<float> x(in, 0.5F);
  const std::vector<signed char> weights(in * static_cast<std::size_t>(layer->out), 3);
  const float row_scale = 0.01F;
  std::vector<float> y;
  for (std::size_t row = 0; row * in < weights.size(); ++row) {
    float sum = 0;
    for (std::size_t k = 0; k < in; ++k) sum += x[k] * static_cast<float>(weights[row * in + k]);
    y.push_back(row_scale * sum);
  }
  set.forward_host(argv[2], std::vector<loratune::AdapterUse>{{"mine", 1}}, 1, x, y);
  for (const float value : y) std::printf("%.6f\n", static_cast<double>(value));
  return 0;
}
