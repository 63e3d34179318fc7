#include "dispatch/internal/bounded_json.h"

#include <algorithm>
#include <charconv>

#include "dispatch/internal/printable.h"
#include "dispatch/internal/tuned_limits.h"
#include "dispatch/internal/utf8.h"

namespace loratune::bounded_json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& text, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0U | code >> 6U);
    add(0x80U | (code & 0x3fU));
  } else if (code < 0x10000) {
    add(0xe0U | code >> 12U);
    add(0x80U | (code >> 6U & 0x3fU));
    add(0x80U | (code & 0x3fU));
  } else {
    add(0xf0U | code >> 18U);
    add(0x80U | (code >> 12U & 0x3fU));
    add(0x80U | (code >> 6U & 0x3fU));
    add(0x80U | (code & 0x3fU));
  }
}

constexpr std::size_t kMostTextBytes = 4 * limits::kText;

}  // namespace

std::string pointer_token(std::string_view key) {
  std::string escaped;
  for (const char c : key.substr(0, 60)) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return "/" + printable(escaped) + (key.size() > 60 ? "..." : "");
}

void fail(const std::string& pointer, std::string_view what) {
  throw Fault{"at \"" + pointer + "\": " + std::string(what)};
}

std::string pointer(const Path& path) {
  if (path.parent == nullptr) return {};
  return pointer(*path.parent) +
         (path.is_element ? "/" + std::to_string(path.index) : pointer_token(path.key));
}

void Cursor::no_json(const Path& path) const {
  const std::size_t begin = at_ > 20 ? at_ - 20 : 0;
  fail(pointer(path), "no valid JSON at byte " + std::to_string(at_ + 1) + ", near '" +
                          printable(bytes_.substr(begin, at_ - begin + 10)) + "'");
}

void Cursor::skip_blanks() {
  while (at_ < bytes_.size()) {
    const char c = bytes_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++at_;
  }
}

bool Cursor::take(char c) {
  skip_blanks();
  if (at_ == bytes_.size() || bytes_[at_] != c) return false;
  ++at_;
  return true;
}

void Cursor::expect(char c, const Path& path) {
  if (take(c)) return;
  const bool begins = c == '{' || c == '[';
  const std::string_view values = "{[\"-0123456789tfn";
  if (begins && at_ < bytes_.size() && values.find(bytes_[at_]) != std::string_view::npos) {
    fail(pointer(path), c == '{' ? "must be an object" : "must be an array");
  }
  no_json(path);
}

void Cursor::expect_end(const Path& path) {
  skip_blanks();
  if (at_ != bytes_.size()) no_json(path);
}

std::string_view Cursor::skip(const Path& path) {
  skip_blanks();
  const std::size_t begin = at_;
  std::size_t depth = 0;
  bool in_text = false;
  for (; at_ < bytes_.size(); ++at_) {
    const char c = bytes_[at_];
    if (in_text) {
      if (c == '\\') {
        ++at_;
      } else if (c == '"') {
        in_text = false;
      }
      continue;
    }
    if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth >= limits::kDepth) fail(pointer(path), "nested too deeply");
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      --depth;
    } else if (c == ',' && depth == 0) {
      break;
    }
  }
  if (at_ >= bytes_.size() || depth != 0 || in_text) {
    at_ = std::min(at_, bytes_.size());
    no_json(path);
  }
  return bytes_.substr(begin, at_ - begin);
}

std::string_view Cursor::read_key(std::deque<std::string>& room, const Path& path) {
  expect('"', path);
  const std::string_view key = read_text(room, path);
  expect(':', path);
  return key;
}

void Cursor::read(Tree& tree, const Path& path) {
  tree.values.clear();
  tree.decoded.clear();
  read_value(tree, path, {}, 0);
}

// `depth` is that of what the value stands in.
void Cursor::read_value(Tree& tree, const Path& path, std::string_view key, std::size_t depth) {
  skip_blanks();
  if (tree.values.size() == limits::kEntryValues) fail(pointer(path), "too many values");
  const std::size_t self = tree.values.size();
  tree.values.emplace_back().key = key;
  const auto word = [&](std::string_view wanted) {
    if (bytes_.substr(at_, wanted.size()) != wanted) no_json(path);
    at_ += wanted.size();
  };
  const char c = at_ < bytes_.size() ? bytes_[at_] : '\0';
  Value& value = tree.values.back();
  if (c == '"') {
    ++at_;
    value.kind = Kind::text;
    value.text = read_text(tree.decoded, path);
  } else if (c == '{' || c == '[') {
    value.kind = c == '{' ? Kind::object : Kind::array;
    if (depth + 2 >= limits::kDepth) fail(pointer(path), "nested too deeply");
    ++at_;
    read_children(tree, path, self, depth);
  } else if (c == '-' || is_digit(c)) {
    read_number(value, path);
  } else if (c == 't' || c == 'f') {
    value.kind = Kind::boolean;
    value.truth = c == 't';
    word(c == 't' ? "true" : "false");
  } else {
    word("null");
  }
  tree.values[self].end = static_cast<std::uint32_t>(tree.values.size());
}

void Cursor::read_children(Tree& tree, const Path& path, std::size_t self, std::size_t depth) {
  const bool is_object = tree.values[self].kind == Kind::object;
  const char close = is_object ? '}' : ']';
  std::uint32_t count = 0;
  if (!take(close)) {
    do {
      std::string_view key;
      if (is_object) {
        key = read_key(tree.decoded, path);
        for (std::size_t at = self + 1; at < tree.values.size(); at = tree.values[at].end) {
          if (tree.values[at].key == key) fail(pointer(path.member(key)), "duplicate member");
        }
      }
      read_value(tree, is_object ? path.member(key) : path.element(count), key, depth + 1);
      ++count;
    } while (take(','));
    if (!take(close)) no_json(path);
  }
  tree.values[self].count = count;
}

void Cursor::read_number(Value& value, const Path& path) {
  const std::size_t begin = at_;
  const auto digits = [&] {
    const std::size_t first = at_;
    while (at_ < bytes_.size() && is_digit(bytes_[at_])) ++at_;
    if (at_ == first) no_json(path);
  };
  if (bytes_[at_] == '-') ++at_;
  if (at_ < bytes_.size() && bytes_[at_] == '0') {
    ++at_;
  } else {
    digits();
  }
  bool whole = true;
  if (at_ < bytes_.size() && bytes_[at_] == '.') {
    whole = false;
    ++at_;
    digits();
  }
  if (at_ < bytes_.size() && (bytes_[at_] == 'e' || bytes_[at_] == 'E')) {
    whole = false;
    ++at_;
    if (at_ < bytes_.size() && (bytes_[at_] == '+' || bytes_[at_] == '-')) ++at_;
    digits();
  }
  const std::string_view text = bytes_.substr(begin, at_ - begin);
  const char* const end = text.data() + text.size();
  value.kind = Kind::integer;
  if (whole && std::from_chars(text.data(), end, value.integer).ec == std::errc()) {
    value.real = static_cast<double>(value.integer);
    return;
  }
  value.kind = Kind::real;
  if (std::from_chars(text.data(), end, value.real).ec != std::errc()) {
    fail(pointer(path), "number " + printable(text, 30) + " is out of range");
  }
}

// The text whose opening quote was just read. It goes behind the closing one.
std::string_view Cursor::read_text(std::deque<std::string>& room, const Path& path) {
  const std::size_t begin = at_;
  while (at_ < bytes_.size()) {
    const auto c = static_cast<unsigned char>(bytes_[at_]);
    if (c == '"') {
      const std::string_view text = bytes_.substr(begin, at_ - begin);
      ++at_;
      return text;
    }
    if (c == '\\') return read_escaped(begin, room, path);
    if (at_ - begin >= kMostTextBytes) fail(pointer(path), "string too long");
    const std::size_t length = c < 0x80 ? 1 : character_length(bytes_.substr(at_, 4));
    if (c < 0x20 || length == 0) no_json(path);
    at_ += length;
  }
  no_json(path);
}

std::string_view Cursor::read_escaped(std::size_t begin, std::deque<std::string>& room,
                                      const Path& path) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  std::string text(bytes_.substr(begin, at_ - begin));
  while (at_ < bytes_.size()) {
    const auto c = static_cast<unsigned char>(bytes_[at_]);
    if (c == '"') {
      ++at_;
      return room.emplace_back(std::move(text));
    }
    if (text.size() >= kMostTextBytes) fail(pointer(path), "string too long");
    if (c != '\\') {
      const std::size_t length = character_length(bytes_.substr(at_, 4));
      if (c < 0x20 || length == 0) no_json(path);
      text += bytes_.substr(at_, length);
      at_ += length;
      continue;
    }
    if (++at_ == bytes_.size()) break;
    const std::size_t name = kNames.find(bytes_[at_]);
    if (name != std::string_view::npos) {
      text += kMeant[name];
      ++at_;
      continue;
    }
    if (bytes_[at_] != 'u') no_json(path);
    ++at_;
    std::uint32_t code = read_hex(path);
    if (code >= 0xd800 && code < 0xdc00) {  // the first half of a pair
      if (bytes_.substr(at_, 2) != "\\u") no_json(path);
      at_ += 2;
      const std::uint32_t low = read_hex(path);
      if (low < 0xdc00 || low > 0xdfff) no_json(path);
      code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
      no_json(path);
    }
    append_utf8(text, code);
  }
  no_json(path);
}

std::uint32_t Cursor::read_hex(const Path& path) {
  const std::string_view digits = bytes_.substr(at_, 4);
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) no_json(path);
  at_ += 4;
  return code;
}

}  // namespace loratune::bounded_json
