// Reads llama.cpp's container: key-value pairs of many types, of which a few are kept, then what
// tensors there are, then their bytes.
#pragma once

#include <memory>
#include <string>

#include "adapters/internal/mapped_file.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

// What the file says of itself, empty or 0 where it does not: `general.type`, `adapter.type`,
// `general.architecture`, `adapter.lora.alpha`. `alora` is a key that says that the adapter is of
// activated LoRA, whatever its value is.
struct GgufFile {
  TensorFile file;
  std::string type, adapter_type, architecture, alora;
  double alpha = 0;
};

// Throws AdapterFault. As llama.cpp it wants each tensor where the one before it ends, up to the
// alignment.
GgufFile read_gguf(std::shared_ptr<const MappedFile> file);

}  // namespace loratune
