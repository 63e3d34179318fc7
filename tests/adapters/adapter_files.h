// Makes adapter files of every kind, sound and broken, byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "loratune/adapters/load_adapter.h"
#include "unit/temporary_folder.h"

namespace loratune {

// Whether a message says this.
inline testing::AssertionResult says(const char*, const char*, const std::string& message,
                                     const std::string& part) {
  if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << message << "' does not say '" << part << "'";
}
#define EXPECT_SAYS(message, part) EXPECT_PRED_FORMAT2(::loratune::says, message, part)

// The bytes of a number as files have them.
template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string safetensors(const std::string& header, const std::string& data = {}) {
  return bytes_of<std::uint64_t>(header.size()) + header + data;
}

// A tensor of f32 that counts up from `first`.
struct Counted {
  std::string name;
  std::int64_t rows, cols;
  float first = 1;
};

// A sound safetensors file of these tensors.
inline std::string safetensors(const std::vector<Counted>& tensors) {
  std::string header = "{";
  std::string data;
  for (const Counted& tensor : tensors) {
    const std::size_t begin = data.size();
    for (std::int64_t i = 0; i < tensor.rows * tensor.cols; ++i) {
      data += bytes_of(tensor.first + static_cast<float>(i));
    }
    header += (header.size() > 1 ? "," : "") + ("\"" + tensor.name) +
              R"(":{"dtype":"F32","shape":[)" + std::to_string(tensor.rows) + "," +
              std::to_string(tensor.cols) + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
              std::to_string(data.size()) + "]}";
  }
  return safetensors(header + "}", data);
}

inline const std::string kPrefix = "base_model.model.";

// A and B of one module as PEFT stores them.
inline std::vector<Counted> peft_pair(const std::string& path, std::int64_t in, std::int64_t out,
                                      std::int64_t rank) {
  return {{kPrefix + path + ".lora_A.weight", rank, in, 1},
          {kPrefix + path + ".lora_B.weight", out, rank, 100}};
}

inline std::vector<Counted> operator+(std::vector<Counted> one, const std::vector<Counted>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

// A folder with an adapter, and what load_adapter() makes of it.
class AdapterFolder {
 public:
  AdapterFolder& file(const std::string& name, const std::string& bytes) {
    write_bytes(folder_ / name, bytes);
    return *this;
  }
  AdapterFolder& peft(const std::string& config, const std::vector<Counted>& tensors) {
    return file("adapter_config.json", config)
        .file("adapter_model.safetensors", safetensors(tensors));
  }
  AdapterFolder& mlx(const std::string& config, const std::vector<Counted>& tensors) {
    return file("adapter_config.json", config).file("adapters.safetensors", safetensors(tensors));
  }
  LoadedAdapter load(const LoadOptions& options = {}) const {
    return load_adapter(folder_.path().string(), options);
  }
  // The error of a strict load; empty where there is none.
  std::string error() const { return load().error; }
  std::string path() const { return folder_.path().string(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  TemporaryFolder folder_;
};

}  // namespace loratune
