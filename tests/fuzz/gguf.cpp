// A GGUF file, as the container and as an adapter.
#include "adapters/internal/gguf.h"

#include "adapter_readers.h"
#include "loratune/adapters/load_adapter.h"
#include "unit/temporary_folder.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  const LoadedAdapter loaded = load_adapter(file.path());
  expect(loaded.adapter.has_value() == loaded.error.empty(), "an adapter or an error");
  expect_printable(loaded.error);
  return takes_adapter([&] {
    const GgufFile read = read_gguf(std::make_shared<MappedFile>(file.path()));
    for (const Tensor& tensor : read.file.tensors) {
      touch(tensor.bytes);
      to_floats(*tensor.element, tensor.bytes);
    }
  });
}

std::vector<std::string> sound_inputs() {
  const std::string folder = LORATUNE_SOURCE_DIR "/tests/data/adapters/";
  return {read_bytes(folder + "gguf_f32/adapter.gguf"),
          read_bytes(folder + "gguf_q4_0/adapter.gguf")};
}

}  // namespace loratune::fuzz
