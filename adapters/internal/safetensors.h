// Reads the container: 8 bytes of the header's length, a JSON header, then the arrays' bytes.
#pragma once

#include <memory>

#include "adapters/internal/mapped_file.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

// Throws AdapterFault. The checks are stricter than those of other readers: no key twice, and the
// arrays cover the data without a hole or an overlap.
TensorFile read_safetensors(std::shared_ptr<const MappedFile> file);

// The header of a file with these arrays, which follow it in the order that they have afterwards:
// of larger elements first, so that each stands at a multiple of its size.
std::string safetensors_header(std::vector<NamedArray>& arrays, std::string_view format);

}  // namespace loratune
