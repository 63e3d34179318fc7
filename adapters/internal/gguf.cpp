#include "adapters/internal/gguf.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/names_once.h"

namespace loratune {
namespace {

constexpr std::uint64_t kMostPairs = 16384;
constexpr std::uint64_t kMostTensors = 100000;
constexpr std::uint64_t kMostTexts = 4'000'000;  // of all lists; a vocabulary has 300,000
constexpr std::uint64_t kMostName = 256;
constexpr std::uint64_t kMostKey = 256;
constexpr std::uint64_t kMostText = 64;                        // of a value; it is cut there
constexpr std::uint64_t kMostNames = std::uint64_t{12} << 20;  // bytes of all names
constexpr std::uint64_t kMostAlignment = std::uint64_t{1} << 20;
constexpr int kGgufDims = 4;

enum ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kText,
  kList,
  kU64,
  kI64,
  kF64
};
constexpr std::string_view kAlora = "adapter.alora.";

// Bytes of a value of a fixed size; 0 for the others.
std::uint64_t size_of(std::uint32_t type) {
  constexpr std::uint64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

struct StoredType {
  std::uint32_t number;
  std::string_view name;
  Element element;
};
constexpr StoredType kTypes[] = {{0, "F32", Element::f32},
                                 {1, "F16", Element::f16},
                                 {2, "Q4_0", Element::q4_0},
                                 {8, "Q8_0", Element::q8_0},
                                 {30, "BF16", Element::bf16}};

class Reader {
 public:
  explicit Reader(std::shared_ptr<const MappedFile> file)
      : file_(std::move(file)), bytes_(file_->bytes()) {}

  GgufFile read() {
    if (bytes_.size() < 4 || std::memcmp(bytes_.data(), "GGUF", 4) != 0) {
      refuse(path(), "is no GGUF file");
    }
    at_ = 4;
    const auto version = number<std::uint32_t>();
    if ((version & 0xffffU) == 0) refuse(path(), "is a GGUF file of a big-endian machine");
    if (version != 2 && version != 3) {
      refuse(path(), "is GGUF version " + std::to_string(version) + ", expected 2 or 3");
    }
    const std::uint64_t tensors = count(kMostTensors, "tensors");
    const std::uint64_t pairs = count(kMostPairs, "key-value pairs");
    for (std::uint64_t i = 0; i < pairs; ++i) read_pair();
    refuse_twice(path(), std::exchange(keys_, {}));
    read_tensors(tensors);
    refuse_twice(path(), names_of(result_.file.tensors));
    result_.file.mapping = file_;
    return std::move(result_);
  }

 private:
  const std::string& path() const { return file_->path(); }

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > bytes_.size() - at_) {
      refuse(path(), "ends within its header: " + std::to_string(size) + " bytes are wanted at " +
                         std::to_string(at_) + ", there are " +
                         std::to_string(bytes_.size() - at_));
    }
    const auto taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::uint64_t count(std::uint64_t most, const char* of_what) {
    const auto value = number<std::uint64_t>();
    if (value > most) {
      refuse(path(), "says that it holds " + std::to_string(value) + " " + of_what +
                         ", expected at most " + std::to_string(most));
    }
    return value;
  }

  std::string_view text() {
    const auto length = number<std::uint64_t>();
    const auto bytes = take(length);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::string_view name(std::uint64_t most) {
    const std::string_view name = text();
    if (name.empty() || name.size() > most) {
      refuse(path(), name.substr(0, 60), "a name has 1 to " + std::to_string(most) + " bytes");
    }
    names_ += name.size();
    if (names_ > kMostNames) refuse(path(), "its names are longer than 12 MiB together");
    return name;
  }

  double plain_number(std::uint32_t type) {
    switch (type) {
      case kU8:
      case kBool:
        return number<std::uint8_t>();
      case kI8:
        return number<std::int8_t>();
      case kU16:
        return number<std::uint16_t>();
      case kI16:
        return number<std::int16_t>();
      case kU32:
        return number<std::uint32_t>();
      case kI32:
        return number<std::int32_t>();
      case kF32:
        return number<float>();
      case kU64:
        return static_cast<double>(number<std::uint64_t>());
      case kI64:
        return static_cast<double>(number<std::int64_t>());
      default:
        return number<double>();
    }
  }

  // Where a number is kept; another value would count as one that is not there.
  double* number_for(std::string_view key) {
    if (key == "adapter.lora.alpha") return &result_.alpha;
    return key == "general.alignment" ? &alignment_ : nullptr;
  }

  std::string* text_for(std::string_view key) {
    if (key == "general.type") return &result_.type;
    if (key == "adapter.type") return &result_.adapter_type;
    return key == "general.architecture" ? &result_.architecture : nullptr;
  }

  void read_pair() {
    const std::string_view key = keys_.emplace_back(name(kMostKey));
    if (key.starts_with(kAlora)) result_.alora = key;
    const auto type = number<std::uint32_t>();
    double* const kept_number = number_for(key);
    if (kept_number != nullptr && (type == kText || type == kList || type == kBool)) {
      refuse(path(), key, "is no number");
    }
    if (type == kText) {
      const std::string_view value = text();
      if (std::string* const kept_text = text_for(key)) *kept_text = value.substr(0, kMostText);
    } else if (type == kList) {
      pass_list(key);
    } else if (size_of(type) != 0) {
      const double value = plain_number(type);
      if (kept_number != nullptr) *kept_number = value;
    } else {
      refuse(path(), key, "has a value of type " + std::to_string(type) + ", which is none");
    }
  }

  void pass_list(std::string_view key) {
    const auto type = number<std::uint32_t>();
    const auto length = number<std::uint64_t>();
    const std::uint64_t left = bytes_.size() - at_;
    if (type == kText) {
      texts_ += std::min(length, kMostTexts + 1);
      if (length > left / 8 || texts_ > kMostTexts) {
        refuse(path(), key, "is a list of " + std::to_string(length) + " texts, which is too long");
      }
      for (std::uint64_t i = 0; i < length; ++i) text();
    } else if (size_of(type) == 0) {
      refuse(path(), key,
             "is a list of values of type " + std::to_string(type) + ", which is not read");
    } else if (length > left / size_of(type)) {
      refuse(path(), key,
             "is a list of " + std::to_string(length) + " values, more than the file has");
    } else {
      take(length * size_of(type));
    }
  }

  void read_tensors(std::uint64_t count) {
    std::vector<std::uint64_t> offsets;
    std::vector<Tensor>& tensors = result_.file.tensors;
    tensors.reserve(count);
    offsets.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      Tensor& tensor = tensors.emplace_back();
      tensor.name = name(kMostName);
      const auto dims = number<std::uint32_t>();
      if (dims < 1 || dims > kGgufDims) {
        refuse(
            path(), tensor.name,
            "has " + std::to_string(dims) + " extents, expected 1 to " + std::to_string(kGgufDims));
      }
      tensor.dims = static_cast<int>(dims);
      // The file has the extent of neighbours in memory first.
      for (std::uint32_t d = dims; d-- > 0;) {
        const auto extent = number<std::uint64_t>();
        if (extent > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          refuse(path(), tensor.name, "its shape does not fit 63 bits");
        }
        tensor.shape[d] = static_cast<std::int64_t>(extent);
      }
      read_type(tensor);
      offsets.push_back(number<std::uint64_t>());
    }
    place(offsets);
  }

  void read_type(Tensor& tensor) {
    const auto type = number<std::uint32_t>();
    for (const StoredType& stored : kTypes) {
      if (stored.number != type) continue;
      tensor.type = stored.name;
      tensor.element = stored.element;
      return;
    }
    refuse(
        path(), tensor.name,
        "is of GGUF's type " + std::to_string(type) + ", read are F32, F16, BF16, Q8_0 and Q4_0");
  }

  std::uint64_t bytes_of(const Tensor& tensor) const {
    const auto [elements, bytes] = block_of(*tensor.element);
    const std::int64_t row = tensor.shape[static_cast<std::size_t>(tensor.dims) - 1];
    if (row % elements != 0) {
      refuse(path(), tensor.name,
             "its rows of " + std::to_string(row) + " are no whole blocks of " +
                 std::to_string(elements));
    }
    std::int64_t size = bytes;
    for (int d = 0; d < tensor.dims; ++d) {
      std::int64_t extent = tensor.shape[static_cast<std::size_t>(d)];
      if (d == tensor.dims - 1) extent /= elements;
      if (__builtin_mul_overflow(size, extent, &size)) {
        refuse(path(), tensor.name, "its shape " + shape_text(tensor) + " does not fit 63 bits");
      }
    }
    return static_cast<std::uint64_t>(size);
  }

  void place(const std::vector<std::uint64_t>& offsets) {
    const bool valid = alignment_ >= 1 && alignment_ <= static_cast<double>(kMostAlignment);
    const auto alignment = valid ? static_cast<std::uint64_t>(alignment_) : 0;
    if (!valid || static_cast<double>(alignment) != alignment_ ||
        (alignment & (alignment - 1)) != 0) {
      refuse(path(), "general.alignment", "is no power of two up to 2^20");
    }
    const auto padded = [&](std::uint64_t size) {
      return (size + alignment - 1) & ~(alignment - 1);
    };
    const std::uint64_t begin = std::min<std::uint64_t>(padded(at_), bytes_.size());
    const std::span<const std::byte> data = bytes_.subspan(begin);
    std::vector<Tensor>& tensors = result_.file.tensors;
    std::uint64_t expected = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::uint64_t size = bytes_of(tensors[i]);
      if (offsets[i] != expected) {
        refuse(path(), tensors[i].name,
               "stands at offset " + std::to_string(offsets[i]) + ", expected " +
                   std::to_string(expected) + ", where the tensor before it ends");
      }
      if (expected > data.size() || size > data.size() - expected) {
        refuse(path(), tensors[i].name,
               "ends behind the file: " + std::to_string(size) + " bytes are wanted at offset " +
                   std::to_string(expected) + " of " + std::to_string(data.size()));
      }
      tensors[i].bytes = data.subspan(expected, size);
      expected += padded(size);
    }
    if (data.size() > expected) {
      refuse(path(),
             "has " + std::to_string(data.size() - expected) + " bytes behind its last tensor");
    }
  }

  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0, texts_ = 0, names_ = 0;
  double alignment_ = 32;
  std::vector<std::string_view> keys_;
  GgufFile result_;
};

}  // namespace

GgufFile read_gguf(std::shared_ptr<const MappedFile> file) {
  return Reader(std::move(file)).read();
}

}  // namespace loratune
