#include "adapters/internal/safetensors.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "adapters/internal/bounded_sort.h"
#include "adapters/internal/fault.h"
#include "adapters/internal/header_scan.h"
#include "adapters/internal/names_once.h"

namespace loratune {
namespace {

constexpr HeaderRoom kAllRoom;
constexpr std::size_t kMostRemarks = 4096;                      // members of __metadata__
constexpr std::size_t kMostRemarkNames = std::size_t{1} << 20;  // bytes of their names
constexpr std::size_t kMostText = std::size_t{1} << 20;         // of a value of the metadata

struct StoredType {
  std::string_view name;
  int bits;
  std::optional<Element> element;
};
constexpr StoredType kTypes[] = {{"F32", 32, Element::f32},
                                 {"F16", 16, Element::f16},
                                 {"BF16", 16, Element::bf16},
                                 {"F64", 64, {}},
                                 {"I64", 64, {}},
                                 {"U64", 64, {}},
                                 {"C64", 64, {}},
                                 {"I32", 32, {}},
                                 {"U32", 32, {}},
                                 {"I16", 16, {}},
                                 {"U16", 16, {}},
                                 {"I8", 8, {}},
                                 {"U8", 8, {}},
                                 {"BOOL", 8, {}},
                                 {"F8_E4M3", 8, {}},
                                 {"F8_E5M2", 8, {}},
                                 {"F8_E8M0", 8, {}},
                                 {"F6_E2M3", 6, {}},
                                 {"F6_E3M2", 6, {}},
                                 {"F4", 4, {}}};

const StoredType* find_type(std::string_view name) {
  const auto* const at = std::find_if(std::begin(kTypes), std::end(kTypes),
                                      [&](const StoredType& type) { return type.name == name; });
  return at == std::end(kTypes) ? nullptr : at;
}

// The bytes of an array of that shape; none where they are no whole number below 2^63.
std::optional<std::uint64_t> bytes_of(const Tensor& tensor, std::int64_t bits) {
  bool empty = false;
  for (int i = 0; i < tensor.dims; ++i) {
    const std::int64_t extent = tensor.shape[static_cast<std::size_t>(i)];
    empty = empty || extent == 0;
    if (extent != 0 && __builtin_mul_overflow(bits, extent, &bits)) return {};
  }
  if (empty) return 0;
  if (bits % 8 != 0) return {};
  return static_cast<std::uint64_t>(bits / 8);
}

std::string span_text(std::uint64_t begin, std::uint64_t end) {
  return "its data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "]";
}

// The end of a message about a bound of all files together.
std::string with_others(bool several) { return several ? " with the adapter's other files" : ""; }

// What tensors point into: the file, and names that stand in it with escapes.
struct Held {
  std::shared_ptr<const MappedFile> file;
  std::deque<std::string> names;
};

// Follows the header from word to word and keeps its tensors, so that no tree of JSON is made. The
// header is an object of the tensors, each an object of dtype, shape and data_offsets, and of
// __metadata__, which is an object of texts, or null as MLX writes it.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(std::string_view header, std::span<const std::byte> data, HeaderRoom& room,
               Held& held)
      : header_(header),
        at_(header.data()),
        file_(held.file->path()),
        data_(data),
        room_(room),
        held_(held) {
    // There are no more tensors than braces.
    const auto braces = static_cast<std::size_t>(std::count(header.begin(), header.end(), '{'));
    tensors_.reserve(std::min(braces, room.tensors));
  }
  std::vector<Tensor> take() { return std::move(tensors_); }
  // Where the parser says how far it has come.
  const char** at() { return &at_; }

  bool null() override {
    if (where_ == Where::header && name_ == kMetadata) return true;
    stop("null");
  }
  bool boolean(bool) override { stop("a boolean"); }
  bool number_integer(number_integer_t) override { stop("a negative number"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (where_ == Where::shape) {
      Tensor& tensor = tensors_.back();
      if (tensor.dims == kMostDims) fail("has more than " + std::to_string(kMostDims) + " extents");
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail("its shape does not fit 63 bits");
      }
      tensor.shape[static_cast<std::size_t>(tensor.dims++)] = static_cast<std::int64_t>(value);
      return true;
    }
    if (where_ == Where::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? begin_ : end_) = value;
      return true;
    }
    stop("a number");
  }
  bool number_float(number_float_t, const string_t&) override {
    stop("a number that is not whole");
  }
  bool string(string_t& value) override {
    if (where_ == Where::metadata) return true;
    if (where_ != Where::tensor || member_ != kDtype) stop("a text");
    const StoredType* type = find_type(value);
    if (type == nullptr) fail("there is no dtype " + in_quotes(value));
    tensors_.back().type = type->name;
    tensors_.back().element = type->element;
    bits_ = type->bits;
    return true;
  }
  bool binary(binary_t&) override { stop("binary"); }

  bool start_object(std::size_t) override {
    if (where_ == Where::outside) {
      where_ = Where::header;
    } else if (where_ == Where::header && name_ == kMetadata) {
      where_ = Where::metadata;
    } else if (where_ == Where::header) {
      where_ = Where::tensor;
      if (room_.tensors == 0) {
        refuse(file_, "holds more than " + std::to_string(kAllRoom.tensors) + " tensors" +
                          with_others(tensors_.size() < kAllRoom.tensors));
      }
      --room_.tensors;
      tensors_.emplace_back().name = name_;
      members_ = 0;
    } else {
      stop("an object");
    }
    return true;
  }
  bool end_object() override {
    if (where_ == Where::tensor) place();
    if (where_ == Where::metadata) metadata_.clear();
    where_ = where_ == Where::header ? Where::outside : Where::header;
    return true;
  }
  bool start_array(std::size_t) override {
    if (where_ != Where::tensor || member_ == kDtype) stop("a list");
    where_ = member_ == kShape ? Where::shape : Where::offsets;
    offsets_ = 0;
    return true;
  }
  bool end_array() override {
    if (where_ == Where::offsets && offsets_ != 2) fail("data_offsets are two numbers");
    where_ = Where::tensor;
    return true;
  }
  bool key(string_t& key) override {
    if (key.size() > kMostName) refuse(file_, key, "the key is too long");
    if (where_ == Where::tensor) {
      member_ = key == "dtype"          ? kDtype
                : key == "shape"        ? kShape
                : key == "data_offsets" ? kOffsets
                                        : kNone;
      if (member_ == kNone) fail("has a member " + in_quotes(key) + ", which no tensor has");
      if ((members_ & member_) != 0) fail("its " + key + " stands twice");
      members_ |= member_;
      return true;
    }
    if (key.size() > room_.names) {
      refuse(file_, "its keys are longer than 12 MiB together" +
                        with_others(name_bytes_ + key.size() <= kAllRoom.names));
    }
    room_.names -= key.size();
    name_bytes_ += key.size();
    if (where_ == Where::metadata) {
      if (!metadata_.insert(key).second) refuse(file_, key, "stands twice in __metadata__");
      remark_bytes_ += key.size();
      if (metadata_.size() > kMostRemarks || remark_bytes_ > kMostRemarkNames) {
        refuse(file_, "its __metadata__ has too many members");
      }
      return true;
    }
    if (key == kMetadata && std::exchange(has_metadata_, true)) {
      refuse(file_, "__metadata__ stands twice");
    }
    name_ = kept(key);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    refuse(file_, "its header is no valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Where : std::uint8_t { outside, header, metadata, tensor, shape, offsets };
  enum Member : unsigned { kNone = 0, kDtype = 1, kShape = 2, kOffsets = 4 };
  static constexpr std::string_view kMetadata = "__metadata__";

  // The key, of which the parser has just read the closing quote, as it stands in the header. A key
  // that stands there in other words is kept apart.
  std::string_view kept(const std::string& key) {
    const auto read = static_cast<std::size_t>(at_ - header_.data());
    if (read > key.size()) {
      const std::string_view there = header_.substr(read - 1 - key.size(), key.size());
      if (there == key) return there;
    }
    const std::size_t cost = sizeof(std::string) + key.size();
    if (cost > room_.escaped) {
      refuse(file_, "its keys with escapes take more than 1 MiB" +
                        with_others(escaped_bytes_ + cost <= kAllRoom.escaped));
    }
    room_.escaped -= cost;
    escaped_bytes_ += cost;
    return held_.names.emplace_back(key);
  }

  // Gives the tensor at hand its bytes.
  void place() {
    if (members_ != (kDtype | kShape | kOffsets)) fail("wants dtype, shape and data_offsets");
    Tensor& tensor = tensors_.back();
    if (begin_ > end_ || end_ > data_.size()) {
      fail(span_text(begin_, end_) + " are not within the file's " + std::to_string(data_.size()) +
           " bytes of data");
    }
    const auto bytes = bytes_of(tensor, bits_);
    if (!bytes || *bytes != end_ - begin_) {
      fail("its shape " + shape_text(tensor) + " of " + std::string(tensor.type) + " takes " +
           (bytes ? std::to_string(*bytes) + " bytes" : "no whole number of bytes") +
           ", its data_offsets span " + std::to_string(end_ - begin_));
    }
    tensor.bytes = data_.subspan(begin_, *bytes);
  }

  [[noreturn]] void fail(const std::string& what) const { refuse(file_, name_, what); }
  [[noreturn]] void stop(std::string_view found) const {
    const auto wanted = [&]() -> std::string_view {
      if (where_ == Where::metadata) return "a text";
      if (where_ == Where::shape) return "whole numbers as its shape";
      if (where_ == Where::offsets) return "two whole numbers as its data_offsets";
      if (where_ == Where::tensor && member_ == kDtype) return "a text as its dtype";
      if (where_ == Where::tensor && member_ == kShape) return "a list as its shape";
      if (where_ == Where::tensor) return "a list as its data_offsets";
      return "an object";
    };
    fail("wants " + std::string(wanted()) + ", not " + std::string(found));
  }

  std::string_view header_;
  const char* at_;  // behind what the parser has read
  std::string_view file_;
  std::span<const std::byte> data_;
  HeaderRoom& room_;
  Held& held_;
  std::vector<Tensor> tensors_;
  std::set<std::string> metadata_;
  std::string_view name_;  // of the tensor at hand
  std::size_t name_bytes_ = 0, remark_bytes_ = 0, escaped_bytes_ = 0;
  Where where_ = Where::outside;
  unsigned member_ = kNone, members_ = 0;  // of the tensor at hand
  int bits_ = 0, offsets_ = 0;
  std::uint64_t begin_ = 0, end_ = 0;
  bool has_metadata_ = false;
};

// Steps through the header and tells the reader, through `at`, how far the parser has come.
class HeaderCursor {
 public:
  // NOLINTBEGIN(readability-identifier-naming): what std::iterator_traits asks for
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  // NOLINTEND(readability-identifier-naming)

  HeaderCursor(const char* here, const char** at) : here_(here), at_(at) {}
  reference operator*() const { return *here_; }
  HeaderCursor& operator++() {
    *at_ = ++here_;
    return *this;
  }
  HeaderCursor operator++(int) {
    const HeaderCursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const HeaderCursor& other) const { return here_ == other.here_; }
  bool operator!=(const HeaderCursor& other) const { return here_ != other.here_; }

 private:
  const char* here_;
  const char** at_;
};

}  // namespace

std::string shape_text(const Tensor& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.dims; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[static_cast<std::size_t>(i)]);
  }
  return text + "]";
}

TensorFile read_safetensors(std::shared_ptr<const MappedFile> file, HeaderRoom& room) {
  const std::string& path = file->path();
  const std::span<const std::byte> all = file->bytes();
  std::uint64_t length = 0;
  if (all.size() < sizeof length) refuse(path, "is too short for a safetensors file");
  std::memcpy(&length, all.data(), sizeof length);
  const std::uint64_t most = std::min(kAllRoom.header, all.size() - sizeof length);
  if (length < 2 || length > most) {
    refuse(path, "is no safetensors file: its header would be " + std::to_string(length) +
                     " bytes, expected 2 to " + std::to_string(most));
  }
  if (length > room.header) {
    refuse(path, "its header is longer than " + std::to_string(kAllRoom.header) + " bytes" +
                     with_others(true));
  }
  room.header -= length;
  const std::string_view header(reinterpret_cast<const char*>(all.data()) + sizeof length, length);
  if (header.front() != '{') refuse(path, "is no safetensors file: its header begins with no {");
  const std::string why = oversized_word(header, kMostText);
  if (!why.empty()) refuse(path, "its header " + why);
  const std::span<const std::byte> data = all.subspan(sizeof length + length);
  auto held = std::make_shared<Held>(Held{std::move(file), {}});
  HeaderReader reader(header, data, room, *held);
  const char* const end = header.data() + header.size();
  nlohmann::json::sax_parse(HeaderCursor(header.data(), reader.at()),
                            HeaderCursor(end, reader.at()), &reader);
  TensorFile result;
  result.tensors = reader.take();
  refuse_twice(path, names_of(result.tensors));

  // The order of the header says nothing of the order of the data.
  const auto begin_of = [&](const Tensor& tensor) {
    return static_cast<std::uint64_t>(tensor.bytes.data() - data.data());
  };
  bounded_sort(result.tensors, [&](const Tensor& one, const Tensor& other) {
    return std::tuple(begin_of(one), one.bytes.size(), one.name) <
           std::tuple(begin_of(other), other.bytes.size(), other.name);
  });
  std::uint64_t covered = 0;
  for (const Tensor& tensor : result.tensors) {
    const std::uint64_t begin = begin_of(tensor);
    if (begin != covered) {
      refuse(path, tensor.name,
             span_text(begin, begin + tensor.bytes.size()) +
                 (begin < covered ? " overlap" : " leave a hole behind") + " what ends at " +
                 std::to_string(covered));
    }
    covered += tensor.bytes.size();
  }
  if (covered != data.size()) {
    refuse(path, "its tensors end at byte " + std::to_string(covered) + " of " +
                     std::to_string(data.size()) + " bytes of data");
  }
  result.mapping = std::move(held);
  return result;
}

TensorFile read_safetensors(std::shared_ptr<const MappedFile> file) {
  HeaderRoom room;
  return read_safetensors(std::move(file), room);
}

LoadedTensors load_safetensors(const std::string& path) {
  try {
    return {read_safetensors(std::make_shared<MappedFile>(path)), {}};
  } catch (const AdapterFault& fault) {
    return {{}, fault.what()};
  }
}

}  // namespace loratune
