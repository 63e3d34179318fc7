// Reads llama.cpp's container: key-value pairs of many types, of which a few texts and numbers are
// kept, then what tensors there are, then their bytes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "adapters/internal/mapped_file.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

// `texts` and `numbers` are the values of plain types by key; lists are passed over, with their
// keys in `lists`.
struct GgufFile {
  TensorFile file;
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, double, std::less<>> numbers;
  std::vector<std::string> lists;
};

// Throws AdapterFault. As llama.cpp it wants each tensor where the one before it ends, up to the
// alignment.
GgufFile read_gguf(std::shared_ptr<const MappedFile> file);

}  // namespace loratune
