#include "adapters/internal/pattern.h"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace loratune {
namespace {

constexpr std::size_t kMostText = 4096;
constexpr std::size_t kMostStates = 16384;
constexpr int kMostDepth = 32;
constexpr int kMostRepeats = 1000;

using Set = std::bitset<256>;

[[noreturn]] void fail(const std::string& why) { throw std::invalid_argument(why); }
[[noreturn]] void unread(const std::string& why) { throw UnreadPattern(why); }

// Bytes from 0x80 on are of characters beyond ASCII.
const Set kBeyondAscii = ~Set() << 0x80U;

Set range(char first, char last) {
  Set set;
  for (int c = static_cast<unsigned char>(first); c <= static_cast<unsigned char>(last); ++c) {
    set.set(static_cast<std::size_t>(c));
  }
  return set;
}

Set word_set() {
  return range('0', '9') | range('a', 'z') | range('A', 'Z') | range('_', '_') | kBeyondAscii;
}

// The set that a backslash and this letter stand for; none where the letter stands for no set.
std::optional<Set> escaped_set(char letter) {
  switch (letter) {
    case 'd':
      return range('0', '9');
    case 'D':
      return ~range('0', '9');
    case 'w':
      return word_set();
    case 'W':
      return ~word_set();
    case 's':
      return range('\t', '\r') | range(' ', ' ');
    case 'S':
      return ~*escaped_set('s');
    default:
      return {};
  }
}

}  // namespace

// Reads an expression from left to right and adds states from its end to its begin: each part is
// told which state follows it.
class PatternCompiler {
 public:
  PatternCompiler(std::string_view text, Steps& steps, Pattern& pattern)
      : text_(text), steps_(steps), pattern_(pattern) {}

  void compile() {
    if (text_.size() > kMostText) unread("is longer than " + std::to_string(kMostText));
    const int whole = alternatives(0);
    if (at_ < text_.size()) fail("has a ) too many");
    const std::uint32_t accept = add({Pattern::Kind::accept});
    pattern_.start_ = emit(whole, accept);
  }

 private:
  enum class Type : std::uint8_t { set, begin, end, group, sequence, choice, repeat };
  struct Node {
    Type type = Type::sequence;
    std::uint32_t set = 0;  // of `group`: how many groups had names before
    std::vector<int> parts;
    int least = 0, most = -1;  // of `repeat`; -1: any number
    bool lazy = false;         // of `repeat`: as few as will do
  };

  bool more() const { return at_ < text_.size(); }
  char peek() const { return text_[at_]; }
  bool take(char c) {
    if (!more() || peek() != c) return false;
    ++at_;
    return true;
  }
  char next() {
    if (!more()) fail("ends too early");
    const char c = text_[at_++];
    if (static_cast<unsigned char>(c) >= 0x80) unread("holds a character beyond ASCII");
    return c;
  }
  int node(Node made) {
    nodes_.push_back(std::move(made));
    return static_cast<int>(nodes_.size()) - 1;
  }
  int set_node(const Set& set) {
    pattern_.sets_.push_back(set);
    return node({Type::set, static_cast<std::uint32_t>(pattern_.sets_.size()) - 1, {}});
  }

  int alternatives(int depth) {
    if (depth > kMostDepth) unread("is nested too deeply");
    Node choice{Type::choice, 0, {sequence(depth)}};
    while (take('|')) choice.parts.push_back(sequence(depth));
    return choice.parts.size() == 1 ? choice.parts.front() : node(std::move(choice));
  }

  int sequence(int depth) {
    Node sequence;
    while (more() && peek() != '|' && peek() != ')') sequence.parts.push_back(repeated(depth));
    return node(std::move(sequence));
  }

  int repeated(int depth) {
    const int part = atom(depth);
    const auto count = repeats();
    if (!count) return part;
    const Type type = nodes_[static_cast<std::size_t>(part)].type;
    if (type == Type::begin || type == Type::end) unread("repeats an anchor");
    const bool lazy = take('?');
    if (more() && peek() == '+') unread("has a possessive +, which is not read");
    if (repeats()) fail("repeats what is repeated");
    return node({Type::repeat, 0, {part}, count->first, count->second, lazy});
  }

  // What stands behind a part: *, +, ? or {least,most}. A { of another form is a character.
  std::optional<std::pair<int, int>> repeats() {
    if (take('*')) return {{0, -1}};
    if (take('+')) return {{1, -1}};
    if (take('?')) return {{0, 1}};
    if (!more() || peek() != '{') return {};
    const std::size_t begin = at_++;
    const auto number = [&](int otherwise) {
      if (!more() || peek() < '0' || peek() > '9') return otherwise;
      int value = 0;
      while (more() && peek() >= '0' && peek() <= '9') {
        value = std::min(value * 10 + (next() - '0'), kMostRepeats + 1);
      }
      return value;
    };
    const int least = number(-1);
    const bool comma = take(',');
    const int most = comma ? number(-1) : least;
    if (!take('}') || (least < 0 && !comma)) {
      at_ = begin;
      return {};
    }
    if (most >= 0 && most < least) fail("repeats from more to fewer");
    if (std::max(least, most) > kMostRepeats) {
      unread("repeats more than " + std::to_string(kMostRepeats) + " times");
    }
    return {{std::max(least, 0), most}};
  }

  int atom(int depth) {
    const char c = next();
    switch (c) {
      case '(':
        return group(depth);
      case '[':
        return set_node(bracket());
      case '\\':
        return escape();
      case '.':
        return set_node(~range('\n', '\n'));
      case '^':
        return node({Type::begin, 0, {}});
      case '$':
        return node({Type::end, 0, {}});
      case '*':
      case '+':
      case '?':
      case '{':
        --at_;
        if (repeats()) fail("repeats nothing");
        ++at_;
        return set_node(range(c, c));
      default:
        return set_node(range(c, c));
    }
  }

  int group(int depth) {
    // An anchor in a group may be repeated; a node of its own tells it from a bare one.
    Node group;
    if (take('?')) {
      if (take('P')) {
        if (!take('<')) unread("refers to a group, which is not read");
        group.parts.push_back(node({Type::group, named_group(), {}}));
      } else if (!take(':')) {
        unread("looks ahead or behind or sets flags, which is not read");
      }
    }
    group.parts.push_back(alternatives(depth + 1));
    if (!take(')')) fail("lacks a )");
    return node(std::move(group));
  }

  // Reads `name>`. How many groups had names before.
  std::uint32_t named_group() {
    std::string name;
    for (char c = next(); c != '>'; c = next()) name += c;
    const auto letter = [](char c) { return word_set().test(static_cast<unsigned char>(c)); };
    const bool digit_first = !name.empty() && name[0] >= '0' && name[0] <= '9';
    if (name.empty() || digit_first || !std::all_of(name.begin(), name.end(), letter)) {
      fail("has a group whose name is no word");
    }
    const auto before = static_cast<std::uint32_t>(names_.size());
    if (!names_.insert(name).second) fail("names two groups '" + name + "'");
    return before;
  }

  int escape() {
    char c = next();
    if (const auto set = escaped_set(c)) return set_node(*set);
    if (c == 'A') return node({Type::begin, 0, {}});
    if (c == 'Z') return node({Type::end, 0, {}});
    c = escaped_character(c);
    return set_node(range(c, c));
  }

  static char escaped_character(char c) {
    if (c == 'n') return '\n';
    if (c == 't') return '\t';
    const bool letter = word_set().test(static_cast<unsigned char>(c)) && c != '_';
    if (letter) unread(std::string("has \\") + c + ", which is not read");
    return c;
  }

  // A character of a bracket, or a set such as \d, in which no range begins or ends.
  struct Member {
    Set set;
    std::optional<char> character;
  };
  Member member(char c) {
    if (c == '\\') {
      c = next();
      if (const auto set = escaped_set(c)) return {*set, {}};
      c = escaped_character(c);
    }
    return {range(c, c), c};
  }

  Set bracket() {
    Set set;
    const bool negated = take('^');
    for (bool first = true;; first = false) {
      const char c = next();
      if (c == ']' && !first) break;
      const Member from = member(c);
      set |= from.set;
      if (at_ + 1 >= text_.size() || peek() != '-' || text_[at_ + 1] == ']') continue;
      ++at_;
      const Member to = member(next());
      if (!from.character || !to.character) fail("has a range between what are no characters");
      if (*to.character < *from.character) fail("has a range from more to less");
      set |= range(*from.character, *to.character);
    }
    return negated ? ~set : set;
  }

  std::uint32_t add(Pattern::State state) {
    if (pattern_.states_.size() == kMostStates) unread("is too large");
    pattern_.states_.push_back(state);
    return static_cast<std::uint32_t>(pattern_.states_.size()) - 1;
  }

  // The state that begins this part, behind which `next` comes. As deep as the groups are nested.
  std::uint32_t emit(int index, std::uint32_t next) {
    // A part without a character adds no state, however often it is repeated.
    if (++emitted_ > 16 * kMostStates) unread("is too large");
    if (--steps_ < 0) fail("takes too long to read");
    const Node& node = nodes_[static_cast<std::size_t>(index)];
    switch (node.type) {
      case Type::set:
        return add({Pattern::Kind::character, node.set, next});
      case Type::begin:
        return add({Pattern::Kind::begin, 0, next});
      case Type::end:
        return add({Pattern::Kind::end, 0, next});
      case Type::group:
        return node.set + 1 == names_.size() ? add({Pattern::Kind::group, 0, next}) : next;
      case Type::sequence: {
        std::uint32_t start = next;
        for (std::size_t i = node.parts.size(); i-- > 0;) start = emit(node.parts[i], start);
        return start;
      }
      case Type::choice: {
        std::uint32_t start = emit(node.parts.back(), next);
        for (std::size_t i = node.parts.size() - 1; i-- > 0;) {
          const std::uint32_t one = emit(node.parts[i], next);
          start = add({Pattern::Kind::split, 0, one, start});
        }
        return start;
      }
      case Type::repeat:
        break;
    }
    const int part = node.parts.front();
    std::uint32_t start = next;
    if (node.most < 0) {
      start = add({Pattern::Kind::split, 0, next, next});
      const std::uint32_t body = emit(part, start);
      Pattern::State& split = pattern_.states_[start];
      (node.lazy ? split.other : split.next) = body;
    }
    for (int i = node.least; i < node.most; ++i) {
      const std::uint32_t body = emit(part, start);
      start = add({Pattern::Kind::split, 0, node.lazy ? next : body, node.lazy ? body : next});
    }
    for (int i = 0; i < node.least; ++i) start = emit(part, start);
    return start;
  }

  std::string_view text_;
  Steps& steps_;
  Pattern& pattern_;
  std::size_t at_ = 0;
  std::vector<Node> nodes_;
  std::set<std::string> names_;  // of groups
  std::size_t emitted_ = 0;
};

Pattern::Pattern(std::string_view text) {
  Steps steps = 16 * kMostStates;
  PatternCompiler(text, steps, *this).compile();
}

Pattern::Pattern(std::string_view text, Steps& steps) {
  PatternCompiler(text, steps, *this).compile();
}

}  // namespace loratune
