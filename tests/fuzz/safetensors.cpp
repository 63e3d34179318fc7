// A safetensors file: read, and written again.
#include "adapters/internal/safetensors.h"

#include "adapter_readers.h"
#include "adapters/adapter_files.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  return takes_adapter([&] {
    const TensorFile read = read_safetensors(std::make_shared<MappedFile>(file.path()));
    std::vector<NamedArray> arrays;
    for (const Tensor& tensor : read.tensors) {
      touch(tensor.bytes);
      shape_text(tensor);
      if (!tensor.element) continue;
      to_floats(*tensor.element, tensor.bytes);
      arrays.push_back({std::string(tensor.name),
                        *tensor.element,
                        {tensor.shape.begin(), tensor.shape.begin() + tensor.dims},
                        {tensor.bytes.begin(), tensor.bytes.end()}});
    }
    const std::size_t count = arrays.size();
    std::string written = safetensors_header(arrays, "pt");
    for (const NamedArray& array : arrays) {
      written.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
    }
    const FileOf other(written);
    const TensorFile again = read_safetensors(std::make_shared<MappedFile>(other.path()));
    expect(again.tensors.size() == count, "what was read is written");
  });
}

std::vector<std::string> sound_inputs() {
  return {safetensors(peft_pair("q_proj", 3, 2, 1)), safetensors("{}"),
          safetensors(R"({"__metadata__":null,"a":{"dtype":"BF16","shape":[0,3],)"
                      R"("data_offsets":[0,0]}})")};
}

}  // namespace loratune::fuzz
