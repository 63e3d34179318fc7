// A value of a tree of bounded_json, asked for what it is expected to be. Whatever else it is, is a
// Fault that says where it stands.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "dispatch/internal/bounded_json.h"
#include "dispatch/internal/printable.h"
#include "dispatch/internal/tuned_limits.h"

namespace loratune::bounded_json {

inline std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

// A letter first, then letters, digits and `_`.
inline bool is_word(std::string_view text, std::string_view letters) {
  return !text.empty() && text.size() <= limits::kWord &&
         letters.find(text[0]) != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return c == '_' || (c >= '0' && c <= '9') || letters.find(c) != std::string_view::npos;
         });
}
inline constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

// A value of a tree and where it stands.
class Node {
 public:
  Node(const Tree& tree, const Path& path) : Node(tree, 0, path) {}

  [[noreturn]] void fail(std::string_view what) const { bounded_json::fail(pointer(path_), what); }

  // An object with all of `required`, perhaps some of `optional`, and nothing else.
  void expect_members(std::span<const std::string_view> required,
                      std::span<const std::string_view> optional = {}) const {
    const auto in = [](const auto& names, std::string_view key) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    for_each_member([&](std::string_view key, const Node& member) {
      if (!in(required, key) && !in(optional, key)) member.fail("unknown member");
    });
    for (const std::string_view key : required) {
      if (!has(key)) fail("lacks the member " + std::string(key));
    }
  }
  void expect_members(std::initializer_list<std::string_view> required,
                      std::initializer_list<std::string_view> optional = {}) const {
    expect_members(std::span(required.begin(), required.size()),
                   std::span(optional.begin(), optional.size()));
  }
  // `read(name, node)` is given each member.
  template <class Read>
  void for_each_member(Read read, std::size_t most = limits::kMembers) const {
    if (value().kind != Kind::object) fail("must be an object");
    if (value().count > most) fail("too many members");
    for (std::size_t at = at_ + 1; at < value().end; at = tree_.values[at].end) {
      const std::string_view key = tree_.values[at].key;
      read(key, Node(tree_, at, path_.member(key)));
    }
  }
  bool has(std::string_view key) const { return find(key) != 0; }
  // A member that is there.
  Node operator[](std::string_view key) const { return {tree_, find(key), path_.member(key)}; }

  // `read(node)` is given each element.
  template <class Read>
  void for_each_element(std::size_t least, std::size_t most, Read read) const {
    if (value().kind != Kind::array) fail("must be an array");
    if (value().count < least || value().count > most) {
      fail("must have " + std::to_string(least) + ".." + std::to_string(most) + " elements");
    }
    std::size_t i = 0;
    for (std::size_t at = at_ + 1; at < value().end; at = tree_.values[at].end) {
      read(Node(tree_, at, path_.element(i++)));
    }
  }
  template <class T = std::int64_t>
  T integer(std::int64_t low, std::int64_t high) const {
    std::int64_t number = value().integer;
    bool good = value().kind == Kind::integer;
    if (value().kind == Kind::real) {  // 3.0 is an integer in JSON, 3.9 is none
      const double real = value().real;
      good = real == std::floor(real) && std::abs(real) <= static_cast<double>(limits::kBytes);
      if (good) number = static_cast<std::int64_t>(real);
    }
    if (!good || number < low || number > high) {
      fail("must be an integer in " + std::to_string(low) + ".." + std::to_string(high));
    }
    return static_cast<T>(number);
  }
  double number(double low, double high) const {
    if (value().kind != Kind::integer && value().kind != Kind::real) fail("must be a number");
    if (!(value().real >= low && value().real <= high)) fail("number out of range");
    return value().real;
  }
  bool boolean() const {
    if (value().kind != Kind::boolean) fail("must be true or false");
    return value().truth;
  }
  std::string_view text(std::size_t least = 0) const {
    if (value().kind != Kind::text) fail("must be a string");
    const std::size_t length = characters(value().text);
    if (length < least) fail("must not be empty");
    if (length > limits::kText) fail("string too long");
    return value().text;
  }
  std::string_view word() const {
    if (!is_word(text(), kLower)) fail("'" + printable(text()) + "' is no word like tiled_2");
    return text();
  }
  std::string_view one_of(std::initializer_list<std::string_view> words) const {
    if (std::find(words.begin(), words.end(), text()) == words.end()) {
      fail("'" + printable(text()) + "' is none of the known words");
    }
    return text();
  }

 private:
  Node(const Tree& tree, std::size_t at, const Path& path) : tree_(tree), path_(path), at_(at) {}

  const Value& value() const { return tree_.values[at_]; }
  // The number of a member's value, 0 for none.
  std::size_t find(std::string_view key) const {
    if (value().kind != Kind::object) fail("must be an object");
    for (std::size_t at = at_ + 1; at < value().end; at = tree_.values[at].end) {
      if (tree_.values[at].key == key) return at;
    }
    return 0;
  }

  const Tree& tree_;
  Path path_;
  std::size_t at_;
};

}  // namespace loratune::bounded_json
