// Reads JSON that may come from anywhere, a part at a time: what it keeps is the tree of one part,
// whose depth, sizes and number of values are bounded. A member that stands twice is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loratune::bounded_json {

// The error in one printable line, with a JSON pointer.
struct Fault {
  std::string text;
};

// `/key` of a JSON pointer, printable.
std::string pointer_token(std::string_view key);

[[noreturn]] void fail(const std::string& pointer, std::string_view what);

// Where a value stands: what a JSON pointer says, made a text only where it is needed. A path
// without a parent is the whole document.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;   // of a member
  std::size_t index = 0;  // of an element
  bool is_element = false;

  Path member(std::string_view name) const { return {this, name, 0, false}; }
  Path element(std::size_t i) const { return {this, {}, i, true}; }
};
std::string pointer(const Path& path);

enum class Kind : std::uint8_t { null, boolean, integer, real, text, array, object };

// A value of a tree. Its first child, if it has one, is the next value of the tree; the child after
// that stands where the first one ends.
struct Value {
  Kind kind = Kind::null;
  bool truth = false;
  std::int64_t integer = 0;
  double real = 0;  // of an integer too
  std::string_view text;
  std::string_view key;     // where it is a member
  std::uint32_t count = 0;  // of members or elements
  std::uint32_t end = 0;    // the number of the first value that is not within it
};

// The values of a part in the order in which they begin. Texts lie in the document, or in `decoded`
// where they hold escapes.
struct Tree {
  std::vector<Value> values;
  std::deque<std::string> decoded;
};

// A Cursor goes through a document. Whatever it expects and does not find is a Fault.
class Cursor {
 public:
  // Begins at a byte of the document, by whose bytes it counts.
  explicit Cursor(std::string_view bytes, std::size_t begin = 0) : bytes_(bytes), at_(begin) {}

  // Reads one value with all that is in it.
  void read(Tree& tree, const Path& path);

  // Goes behind a value, of which only quotes and brackets are looked at, and returns its bytes.
  std::string_view skip(const Path& path);

  // Reads the name of a member and the colon behind it. Escapes are decoded into `room`.
  std::string_view read_key(std::deque<std::string>& room, const Path& path);

  // Whether the next character, blanks apart, is this one; then goes behind it.
  bool take(char c);
  void expect(char c, const Path& path);
  // The document, or the part that is read, must end here.
  void expect_end(const Path& path);

 private:
  void skip_blanks();
  void read_value(Tree& tree, const Path& path, std::string_view key, std::size_t depth);
  void read_children(Tree& tree, const Path& path, std::size_t self, std::size_t depth);
  void read_number(Value& value, const Path& path);
  std::string_view read_text(std::deque<std::string>& room, const Path& path);
  std::string_view read_escaped(std::size_t begin, std::deque<std::string>& room, const Path& path);
  std::uint32_t read_hex(const Path& path);
  [[noreturn]] void no_json(const Path& path) const;

  std::string_view bytes_;
  std::size_t at_;
};

// Hands each member of an object, in the order of the document, to `read(name, cursor, path)`,
// which reads its value.
template <class Read>
void for_each_member(Cursor& cursor, const Path& path, std::size_t most, Read read) {
  cursor.expect('{', path);
  if (cursor.take('}')) return;
  std::size_t count = 0;
  do {
    std::deque<std::string> room;
    const std::string_view name = cursor.read_key(room, path);
    const Path member = path.member(name);
    if (++count > most) fail(pointer(path), "too many members");
    read(name, cursor, member);
  } while (cursor.take(','));
  cursor.expect('}', path);
}

// The same for the elements of an array.
template <class Read>
void for_each_element(Cursor& cursor, const Path& path, std::size_t most, Read read) {
  cursor.expect('[', path);
  if (cursor.take(']')) return;
  std::size_t count = 0;
  do {
    if (count == most) fail(pointer(path), "too many elements");
    read(cursor, path.element(count++));
  } while (cursor.take(','));
  cursor.expect(']', path);
}

}  // namespace loratune::bounded_json
