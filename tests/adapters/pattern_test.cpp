#include "adapters/internal/pattern.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace loratune {
namespace {

bool all(const std::string& pattern, const std::string& name) {
  Steps steps = 1'000'000;
  return Pattern(pattern).matches_all(name, steps);
}

bool start(const std::string& pattern, const std::string& name) {
  Steps steps = 1'000'000;
  return Pattern(pattern).matches_start(name, steps);
}

TEST(Pattern, MatchesAsPythonDoes) {
  EXPECT_TRUE(all("", ""));
  EXPECT_FALSE(all("", "a"));
  EXPECT_TRUE(start("", "a"));
  EXPECT_TRUE(all("a.c", "abc"));
  EXPECT_FALSE(all("a\\.c", "abc"));
  EXPECT_TRUE(all("(a|b)*c?", "abab"));
  EXPECT_TRUE(all("a{2,3}", "aa") && all("a{2,3}", "aaa") && !all("a{2,3}", "a"));
  EXPECT_TRUE(all("a{,2}b", "b") && all("a{2}", "aa") && all("a{2,}", "aaaa"));
  EXPECT_TRUE(all("a{x}", "a{x}") && all("{", "{") && all("a{,}", "aa"));
  EXPECT_TRUE(all("[a-c0-9_]+", "b7_") && !all("[^a-c]", "b") && all("[]a]", "]"));
  EXPECT_TRUE(all("[a\\]\\d-]+", "]9-a"));
  EXPECT_TRUE(all("[\\t-\\n]", "\n") && !all("[\\t-\\n]", "n") && !all("[\\t-\\n]", "a"));
  EXPECT_TRUE(all("[+-\\]]+", "]A+") && all("[\\w-]", "-") && all("[\\.-\\/]", "/"));
  EXPECT_TRUE(all("\\w\\d\\s\\S", "a1 x") && !all("\\W", "a"));
  EXPECT_TRUE(all(".*?b", "aab") && all("(?:ab)+", "abab") && all("(?P<n>a)", "a"));
  EXPECT_TRUE(start("(.*\\.)?(q_proj)$", "model.q_proj"));
  EXPECT_FALSE(start("(.*\\.)?(q_proj)$", "model.xq_proj"));
  EXPECT_TRUE(start("(.*\\.)?(^model)$", "model") && !start("(.*\\.)?(^model)$", "a.model"));
  // Python reads a key that closes the group as two alternatives.
  EXPECT_TRUE(start("(.*\\.)?(q)|(v)$", "q.x") && !start("(.*\\.)?(q)|(v)$", "v.x"));
  EXPECT_TRUE(all("(a*)*", "aaa") && all("(a|)*b", "aab") && all("()*", ""));
}

TEST(Pattern, ACharacterBeyondAsciiIsOneCharacterAndALetter) {
  const std::string name = "q\xc3\xa9\xe6\xb3\xa8p";  // two characters, of two and three bytes
  EXPECT_TRUE(all("q..p", name) && !all("q.p", name) && !all("q...p", name));
  EXPECT_TRUE(all("q\\w{2}p$", name) && !all("q\\W.p", name));
  EXPECT_TRUE(all("q[^x]{2}p", name) && start("q..", "q\xc3\xa9\xc3\xa9"));
}

TEST(Pattern, TellsWhatItDoesNotReadFromWhatIsNoExpression) {
  for (const char* text : {"(?=a)", "\\b", "a*+", "a{2000}", "\xc3\xa4", "(?:a{1000}){1000}"}) {
    EXPECT_THROW(Pattern{text}, UnreadPattern) << text;
  }
  for (const char* text : {"(", ")", "[", "*", "a**", "a{3,2}", "[b-a]", "\\", "[\\w-.]", "[a-\\d]",
                           "[\\d-z]", "(?P<1>x)", "(?P<>x)", "(?P<a b>x)", "(?P<n>x)(?P<n>y)"}) {
    try {
      const Pattern pattern(text);
      ADD_FAILURE() << text;
    } catch (const UnreadPattern& error) {
      ADD_FAILURE() << text << " " << error.what();
    } catch (const std::invalid_argument&) {
      continue;
    }
  }
}

TEST(Pattern, RefusesInWords) {
  for (const char* text : {"(",
                           ")",
                           "[",
                           "a)",
                           "*",
                           "+a",
                           "{2}",
                           "a?{,1}",
                           "a**",
                           "a*+",
                           "(?=a)",
                           "(?!a)",
                           "(?<=a)",
                           "(?i)a",
                           "\\1",
                           "\\b",
                           "(?P=n)",
                           "a{3,2}",
                           "a{2000}",
                           "[b-a]",
                           "\\",
                           "^*",
                           "\xc3\xa4",
                           "(?:a{1000}){1000}",
                           "((((){1000}){1000}){1000}){1000}"}) {
    EXPECT_THROW(Pattern{text}, std::invalid_argument) << text;
  }
  EXPECT_THROW(Pattern{std::string(100, '(')}, std::invalid_argument);
  EXPECT_THROW(Pattern{std::string(5000, 'a')}, std::invalid_argument);
}

// Where Python's re.match() has the group begin, -1 where the group is no part of the match, and
// -2 where there is no match.
int begin_of_group(const std::string& pattern, const std::string& name) {
  Steps steps = 1'000'000;
  const auto found = Pattern(pattern).find_group(name, steps);
  if (!found) return -2;
  return found->begin ? static_cast<int>(*found->begin) : -1;
}

TEST(Pattern, FindsItsLastNamedGroupAsPythonDoes) {
  EXPECT_EQ(begin_of_group("a(?P<n>b)", "ab"), 1);
  EXPECT_EQ(begin_of_group("a(?P<n>b)", "ac"), -2);
  EXPECT_EQ(begin_of_group("a|(?P<n>b)", "ab"), -1);
  EXPECT_EQ(begin_of_group("(?P<m>a)(?P<n>b)", "ab"), 1);
  EXPECT_EQ(begin_of_group(".*(?P<n>a)", "aba"), 2);
  EXPECT_EQ(begin_of_group(".*?(?P<n>a)", "aba"), 0);
  EXPECT_EQ(begin_of_group("b?\?(?P<n>b*)c", "bbc"), 0);
  EXPECT_EQ(begin_of_group("b?(?P<n>b*)c", "bbc"), 1);
  EXPECT_EQ(begin_of_group("(?:ab|a)(?P<n>b*)", "abb"), 2);
  EXPECT_EQ(begin_of_group("(?:a|ab)(?P<n>b*)", "abb"), 1);
  EXPECT_EQ(begin_of_group("a{1,2}(?P<n>a*)$", "aaa"), 2);
  EXPECT_EQ(begin_of_group("a{1,2}?(?P<n>a*)$", "aaa"), 1);
  EXPECT_EQ(begin_of_group("(?:^|.*?\\.)h\\.(?P<n>\\d+)\\.", "a.h.3.h.4.q"), 4);
  EXPECT_EQ(begin_of_group("(?:^|.*?\\.)h.*\\.(?P<n>\\d+)\\.", "a.h.3.h.4.q"), 8);
}

TEST(Pattern, TimeGrowsWithTheNameAlone) {
  Steps steps = 2'000'000;
  EXPECT_FALSE(Pattern("(a|a)*(a|a)*(a|a)*(a*)*c").matches_all(std::string(20000, 'a'), steps));
  EXPECT_GT(steps, 0);
  steps = 100;
  EXPECT_THROW(Pattern("a*b").matches_all(std::string(1000, 'a'), steps), std::invalid_argument);
}

TEST(Pattern, PartsThatAreRepeatedIntoNothingTakeStepsOfAllPatterns) {
  Steps steps = 1'000'000;
  const std::string text = "(((){1000})){60}a";  // one state, and 60,000 parts
  EXPECT_LT(Pattern(text, steps).size(), 10U);
  EXPECT_LT(steps, 940'000);
  const auto read_many = [&] {
    for (int i = 0; i < 20; ++i) Pattern(text, steps);
  };
  EXPECT_THROW(read_many(), std::invalid_argument);
}

}  // namespace
}  // namespace loratune
