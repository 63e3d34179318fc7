// Reads the container: 8 bytes of the header's length, a JSON header, then the arrays' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "adapters/internal/mapped_file.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

// Of the name of a tensor, in bytes.
inline constexpr std::size_t kMostName = 1024;

// How much the headers of all files of an adapter may still hold: `names` are bytes, `escaped` what
// names take that are written with escapes, `header` is what the format allows one file.
struct HeaderRoom {
  std::size_t tensors = 100000;
  std::size_t names = std::size_t{12} << 20;
  std::size_t escaped = std::size_t{1} << 20;
  std::uint64_t header = 100'000'000;
};

// Throws AdapterFault. The checks are stricter than those of other readers: no key twice, and the
// arrays cover the data without a hole or an overlap. What the header holds is taken from `room`.
TensorFile read_safetensors(std::shared_ptr<const MappedFile> file, HeaderRoom& room);
// A file that has all the room for itself.
TensorFile read_safetensors(std::shared_ptr<const MappedFile> file);

// The header of a file with these arrays, which follow it in the order that they have afterwards:
// of larger elements first, so that each stands at a multiple of its size.
std::string safetensors_header(std::vector<NamedArray>& arrays, std::string_view format);

}  // namespace loratune
