#include "harness/base/terminal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

namespace loratune {
namespace {

constexpr TerminalVariables kUsual = {nullptr, "xterm"};

TEST(Terminal, HasColourOnlyWhereAPersonLooks) {
  EXPECT_TRUE(terminal_of(true, 120, kUsual).colour);
  EXPECT_TRUE(terminal_of(true, 120, kUsual).live);
  EXPECT_FALSE(terminal_of(false, 120, kUsual).colour);
  EXPECT_FALSE(terminal_of(false, 120, kUsual).live);
}

TEST(Terminal, HasNoColourBesideNoColor) {
  const Terminal plain = terminal_of(true, 120, {"1", "xterm"});
  EXPECT_TRUE(plain.live) << "a line may still be written over";
  EXPECT_FALSE(plain.colour);
  EXPECT_EQ(painted(plain, "text", Style::good), "text");
  EXPECT_TRUE(terminal_of(true, 120, {"", "xterm"}).colour) << "an empty NO_COLOR says nothing";
}

TEST(Terminal, IsNotLiveWhereItIsDumb) {
  EXPECT_FALSE(terminal_of(true, 80, {nullptr, "dumb"}).live);
  EXPECT_FALSE(terminal_of(true, 80, {nullptr, nullptr}).live);
  EXPECT_FALSE(terminal_of(true, 80, {nullptr, "dumb"}).colour);
}

TEST(Terminal, IsEightyColumnsWhereNobodyKnows) {
  EXPECT_EQ(terminal_of(true, 0, kUsual).width, 80);
  EXPECT_EQ(terminal_of(true, 132, kUsual).width, 132);
}

TEST(Terminal, AsksTheFileItself) {
  const int null = -1;
  EXPECT_FALSE(terminal_of(null).live) << "no file at all";
}

TEST(Terminal, PaintsWithWhatEndsTheColour) {
  const Terminal colours = terminal_of(true, 80, kUsual);
  EXPECT_EQ(painted(colours, "good", Style::good), "\033[32mgood\033[0m");
  EXPECT_EQ(painted(colours, "plain", Style::plain), "plain");
  EXPECT_EQ(painted(colours, "", Style::good), "");
}

TEST(Terminal, CutsALineByWhatIsSeen) {
  const std::vector<Piece> pieces = {{"12345", Style::good}, {"67890"}, {"abc", Style::faint}};
  Terminal terminal = terminal_of(true, 9, {"1", "xterm"});
  EXPECT_EQ(one_line(terminal, pieces), "12345678");
  terminal.colour = true;
  EXPECT_EQ(one_line(terminal, pieces), "\033[32m12345\033[0m678") << "codes take no column";
  terminal.width = 0;
  EXPECT_EQ(one_line(terminal, pieces), "");
  terminal.width = 100;
  terminal.colour = false;
  EXPECT_EQ(one_line(terminal, pieces), "1234567890abc");
}

TEST(Terminal, DrawsABar) {
  EXPECT_EQ(bar(0, 4, 8), "[........]");
  EXPECT_EQ(bar(1, 4, 8), "[##......]");
  EXPECT_EQ(bar(4, 4, 8), "[########]");
  EXPECT_EQ(bar(9, 4, 8), "[########]");
  EXPECT_EQ(bar(0, 0, 4), "[####]");
}

TEST(Terminal, SaysTimesAsClocksDo) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(42.9), "0:42");
  EXPECT_EQ(clock_text(725), "12:05");
  EXPECT_EQ(clock_text(3661), "1:01:01");
  EXPECT_EQ(clock_text(-3), "0:00");
}

}  // namespace
}  // namespace loratune
