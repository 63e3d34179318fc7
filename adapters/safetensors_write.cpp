#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "adapters/internal/safetensors.h"
#include "dispatch/internal/atomic_write.h"

namespace loratune {

std::string safetensors_header(std::vector<NamedArray>& arrays, std::string_view format) {
  std::sort(arrays.begin(), arrays.end(), [](const NamedArray& one, const NamedArray& other) {
    const auto bytes = [](const NamedArray& array) { return block_of(array.element).bytes; };
    return std::pair(-bytes(one), std::string_view(one.name)) <
           std::pair(-bytes(other), std::string_view(other.name));
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!format.empty()) header["__metadata__"] = {{"format", format}};
  std::size_t at = 0;
  for (const NamedArray& array : arrays) {
    constexpr std::string_view kTypes[] = {"F32", "F16", "BF16"};
    header[array.name] = {{"dtype", kTypes[static_cast<unsigned>(array.element)]},
                          {"shape", array.shape},
                          {"data_offsets", {at, at + array.bytes.size()}}};
    at += array.bytes.size();
  }
  std::string text = header.dump();
  // Blanks at its end let the data begin at a multiple of 8.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(sizeof(std::uint64_t), '\0');
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text;
}

std::string save_safetensors(const std::string& path, std::vector<NamedArray> arrays) {
  std::string bytes = safetensors_header(arrays, {});
  for (const NamedArray& array : arrays) {
    bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  }
  return atomic_write(path, bytes);
}

}  // namespace loratune
