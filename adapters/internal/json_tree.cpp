#include "adapters/internal/json_tree.h"

#include <cmath>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/internal/bounded_json.h"
#include "dispatch/internal/printable.h"

namespace loratune {
namespace {

// Builds the tree. The library's own builder keeps the last of duplicate keys and any depth.
class TreeBuilder : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  using Json = nlohmann::ordered_json;

  explicit TreeBuilder(const JsonBounds& bounds) : bounds_(bounds) {}
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) stop("number " + printable(text, 30) + " is out of range");
    return add(value);
  }
  bool string(string_t& value) override { return add(checked(value)); }
  bool binary(binary_t&) override { stop("binary"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    Level& level = levels_.back();
    level.key = checked(key);
    if (!level.keys.insert(key).second) stop("duplicate member");
    if (level.value->size() >= bounds_.members) stop("too many members");
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    constexpr int kOutOfRange = 406;
    if (error.id == kOutOfRange) stop("number " + printable(token, 30) + " is out of range");
    stop("no valid JSON at byte " + std::to_string(position) + ", near '" +
         printable(token.size() > 30 ? std::string_view(token).substr(token.size() - 30)
                                     : std::string_view(token)) +
         "'");
  }

 private:
  struct Level {
    Json* value;
    std::string key;             // of the member being read
    std::set<std::string> keys;  // of all: the object finds one in as many steps
  };

  [[noreturn]] void stop(std::string_view what) const {
    std::string pointer;
    for (const Level& level : levels_) {
      if (level.value->is_array()) {
        pointer += "/" + std::to_string(level.value->size() - (&level == &levels_.back() ? 0 : 1));
      } else if (!level.key.empty()) {
        pointer += bounded_json::pointer_token(level.key);
      }
    }
    throw std::invalid_argument("at \"" + pointer + "\": " + std::string(what));
  }

  const std::string& checked(const std::string& text) const {
    if (text.size() > bounds_.text) stop("string too long");
    return text;
  }

  Json* place(Json value) {
    if (++values_ > bounds_.values) stop("too many values");
    if (levels_.empty()) return &(root_ = std::move(value));
    Level& level = levels_.back();
    if (level.value->is_object()) {
      auto& members = level.value->get_ref<Json::object_t&>();
      return &members.emplace_back(level.key, std::move(value)).second;
    }
    if (level.value->size() >= bounds_.elements) stop("too many elements");
    level.value->push_back(std::move(value));
    return &level.value->back();
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (levels_.size() >= bounds_.depth) stop("nested too deeply");
    levels_.push_back({place(std::move(value)), {}, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    if (!levels_.empty()) levels_.back().key.clear();
    return true;
  }

  JsonBounds bounds_;
  Json root_;
  std::vector<Level> levels_;
  std::size_t values_ = 0;
};

}  // namespace

nlohmann::ordered_json read_json_tree(std::string_view bytes, const JsonBounds& bounds) {
  if (bytes.size() > bounds.bytes) throw std::invalid_argument("is too large");
  // The lexer takes a zero byte for the end of its input and would not look behind it.
  if (bytes.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("holds a zero byte");
  }
  TreeBuilder builder(bounds);
  nlohmann::ordered_json::sax_parse(bytes.begin(), bytes.end(), &builder);
  return builder.take();
}

}  // namespace loratune
