#include "harness/base/read_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "harness/base/failure.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

std::string refusal(const std::string& path, std::size_t most = kMostFileBytes) {
  try {
    read_file(path, "thing", most);
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    return failure.what();
  }
  return "read";
}

TEST(ReadFile, GivesAllBytes) {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\n", 4);
  write_bytes(folder / "file", bytes);
  EXPECT_EQ(read_file(folder / "file", "thing"), bytes);
  EXPECT_EQ(read_file(folder / "file", "thing", 4), bytes);
  EXPECT_NE(refusal(folder / "file", 3).find("is larger than 3 bytes"), std::string::npos);
}

TEST(ReadFile, TakesRegularFilesOnlyAndWaitsForNothing) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const std::string& path :
       {std::string("/dev/zero"), folder.path().string(), (folder / "fifo").string()}) {
    EXPECT_EQ(refusal(path), "thing '" + path + "' is no regular file");
  }
  EXPECT_NE(refusal(folder / "none").find("No such file"), std::string::npos);
}

TEST(ReadFile, ANameWithEscapesIsPrintedWithoutThem) {
  const std::string line = refusal("/nowhere/\x1b[31mred\n");
  EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(LinesOf, AreWithoutMarkAndBlanksAndKeepTheirNumbers) {
  const auto lines = [](std::string_view text) { return lines_of(text); };
  EXPECT_EQ(lines(""), std::vector<std::string>{});
  EXPECT_EQ(lines("\xef\xbb\xbf a b\t \r\n\n  \nc"),
            (std::vector<std::string>{"a b", "", "", "c"}));
  EXPECT_EQ(lines("a\r\nb\r\n"), (std::vector<std::string>{"a", "b"}));
}

TEST(ParseJson, EndsAtADepthThatNothingOfOursHas) {
  EXPECT_EQ(parse_json("[[1]]")[0][0], 1);
  EXPECT_THROW(parse_json(std::string(1000000, '[')), std::invalid_argument);
  EXPECT_THROW(parse_json(std::string(100, '[') + std::string(100, ']')), std::invalid_argument);
}

TEST(ParseJson, AMemberMayStandOnceInEachObject) {
  EXPECT_EQ(parse_json(R"({"a":{"a":1,"b":{"a":2}},"b":[{"a":3},{"a":4}]})")["b"][1]["a"], 4);
  for (const char* text : {R"({"a":1,"a":1})", R"({"a":{"b":1},"c":[{"a":1,"b":2,"a":3}]})",
                           R"({"b":{},"a":1,"\u0061":2})"}) {
    try {
      parse_json(text);
      ADD_FAILURE() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(), "member 'a' stands twice");
    }
  }
}

TEST(ParseJson, AZeroByteHidesNothing) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"{}\0garbage{{{"sv, "{}\0"sv, "\0{}"sv, "{\"a\":\"\0\"}"sv}) {
    EXPECT_THROW(parse_json(text), std::invalid_argument);
  }
}

TEST(ParseJson, SaysWhatIsWrongInOnePrintableLine) {
  try {
    parse_json("{\x1b\n");
    FAIL();
  } catch (const std::invalid_argument& error) {
    const std::string line = error.what();
    EXPECT_EQ(line.find_first_of("\x1b\n"), std::string::npos) << line;
    EXPECT_FALSE(line.empty());
  }
}

}  // namespace
}  // namespace loratune
