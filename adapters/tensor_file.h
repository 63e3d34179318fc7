// A TensorFile is the named arrays of a safetensors or GGUF file. It is read within bounds: what
// the header says is checked against the file before anything is looked at, and no array is copied.
//
// Threads: plain data, which any number of threads may read, and functions that they may call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loratune/adapters/element.h"

namespace loratune {

inline constexpr int kMostDims = 6;

// The name and the bytes are there while TensorFile::mapping is, and change where somebody writes
// to the file. `shape` is in the order of C: the last extent is that of neighbours in memory.
// `element` is none for a type that only other tools read; `type` is the file's word for it. The
// bytes may stand at any address.
struct Tensor {
  std::string_view name, type;
  std::optional<Element> element;
  int dims = 0;
  std::array<std::int64_t, kMostDims> shape{};
  std::span<const std::byte> bytes;
};

// `[16, 4096]`.
std::string shape_text(const Tensor& tensor);

// The tensors in the order of their bytes. `mapping` keeps them valid.
struct TensorFile {
  std::shared_ptr<const void> mapping;
  std::vector<Tensor> tensors;
};

// A file, or the error in one line.
struct LoadedTensors {
  std::optional<TensorFile> file;
  std::string error;
};
LoadedTensors load_safetensors(const std::string& path);

// What save_safetensors() writes of one array: `bytes` of a plain element type, dense.
struct NamedArray {
  std::string name;
  Element element = Element::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};
// Writes the file whole or not at all. Empty, or the error in one line.
std::string save_safetensors(const std::string& path, std::vector<NamedArray> arrays);

}  // namespace loratune
