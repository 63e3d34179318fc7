#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/internal/safetensors.h"
#include "dispatch/internal/atomic_write.h"

namespace loratune {
namespace {

// The array's member of the header: its name and where its bytes stand, from `begin` on.
std::string member_of(const NamedArray& array, std::size_t begin) {
  constexpr std::string_view kTypes[] = {"F32", "F16", "BF16"};
  const nlohmann::ordered_json member = {{"dtype", kTypes[static_cast<unsigned>(array.element)]},
                                         {"shape", array.shape},
                                         {"data_offsets", {begin, begin + array.bytes.size()}}};
  return nlohmann::json(array.name).dump() + ":" + member.dump();
}

}  // namespace

std::string safetensors_header(std::vector<NamedArray>& arrays, std::string_view format) {
  std::sort(arrays.begin(), arrays.end(), [](const NamedArray& one, const NamedArray& other) {
    const auto bytes = [](const NamedArray& array) { return block_of(array.element).bytes; };
    return std::pair(-bytes(one), std::string_view(one.name)) <
           std::pair(-bytes(other), std::string_view(other.name));
  });
  std::string bytes(sizeof(std::uint64_t), '\0');
  bytes += '{';
  if (!format.empty()) {
    bytes += R"("__metadata__":)" + nlohmann::json{{"format", format}}.dump();
  }
  std::size_t at = 0;
  // An object of JSON would look for each name among all before it, so the text is put together.
  for (const NamedArray& array : arrays) {
    if (bytes.back() != '{') bytes += ',';
    bytes += member_of(array, at);
    at += array.bytes.size();
  }
  bytes += '}';
  // Blanks at its end let the data begin at a multiple of 8.
  bytes.resize((bytes.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = bytes.size() - sizeof length;
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

std::string save_safetensors(const std::string& path, std::vector<NamedArray> arrays) {
  std::string bytes = safetensors_header(arrays, {});
  for (const NamedArray& array : arrays) {
    bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  }
  return atomic_write(path, bytes);
}

}  // namespace loratune
