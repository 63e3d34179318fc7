#include <gtest/gtest.h>

#include <cstdio>
#include <stdexcept>
#include <string>

#include "harness/sweep/conversation.h"
#include "harness/sweep/progress.h"

namespace loratune {
namespace {

SweepProgress in_the_middle() {
  SweepProgress progress;
  progress.decided = 30;
  progress.problems = 120;
  progress.elapsed_s = 60;
  progress.left_s = 125;
  progress.tried = 150;
  progress.problem = "fwd_m16_k1024_n1024_r8_f16_acc";
  progress.doing = "split A_TILE=4 SHRINK_ROWS=4";
  progress.best = 1.234;
  return progress;
}

// What a display wrote.
class Written {
 public:
  Written() : file_(std::tmpfile()) {}
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() { std::fclose(file_); }
  std::FILE* file() const { return file_; }
  std::string text() const {
    std::string text(static_cast<std::size_t>(std::ftell(file_)), '\0');
    std::rewind(file_);
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    return text;
  }

 private:
  std::FILE* file_;
};

constexpr Terminal kWideTerminal = {true, false, 200};

TEST(SweepProgress, SaysRateTimeLeftBestAndWhatIsTried) {
  EXPECT_EQ(progress_line(in_the_middle(), kWideTerminal),
            "[##........] 30/120, 2.5 configs/s, 2:05 left, best 1.23x, "
            "m16_k1024_n1024_r8_f16_acc: split A_TILE=4 SHRINK_ROWS=4");
}

TEST(SweepProgress, LeavesOutWhatIsNotKnownYet) {
  SweepProgress begun;
  begun.problems = 12;
  begun.left_s = 60;
  EXPECT_EQ(progress_line(begun, kWideTerminal), "[..........] 0/12, 1:00 left");
}

TEST(SweepProgress, FitsTheTerminal) {
  const std::string wide = progress_line(in_the_middle(), {true, false, 100});
  EXPECT_NE(wide.find(": split"), std::string::npos) << "what is tried is seen in 100 columns";
  for (const int width : {20, 40, 80, 100}) {
    const std::string line = progress_line(in_the_middle(), {true, false, width});
    EXPECT_EQ(line.size(), static_cast<std::size_t>(width - 1)) << line;
    EXPECT_EQ(progress_line(in_the_middle(), kWideTerminal).find(line), 0U);
  }
}

TEST(SweepProgress, HasColourOnlyWhereTheTerminalHas) {
  EXPECT_EQ(progress_line(in_the_middle(), {true, false, 200}).find('\033'), std::string::npos);
  EXPECT_NE(progress_line(in_the_middle(), {true, true, 200}).find("\033[32m["), std::string::npos);
}

TEST(ProgressDisplay, WritesOverItsLineOnATerminal) {
  const Written written;
  {
    ProgressDisplay display(written.file(), {true, false, 40});
    display.show(in_the_middle(), 0);
    display.show(in_the_middle(), 0.01);  // too soon
    display.show(in_the_middle(), 0.2);
  }
  const std::string line = progress_line(in_the_middle(), {true, false, 40});
  EXPECT_EQ(written.text(), "\r" + line + "\033[K\r" + line + "\033[K\r\033[K");
}

TEST(ProgressDisplay, LeavesALineToTheFailureThatEndsTheSweep) {
  const Written written;
  try {
    ProgressDisplay display(written.file(), {true, false, 40});
    display.show(in_the_middle(), 0);
    throw std::runtime_error("lora-bench: the disk is full");
  } catch (const std::runtime_error& error) {
    std::fputs(error.what(), written.file());
  }
  EXPECT_TRUE(written.text().ends_with("\033[K\r\033[Klora-bench: the disk is full"));
}

TEST(ProgressDisplay, ShowsADecisionAtOnce) {
  const Written written;
  ProgressDisplay display(written.file(), {true, false, 30});
  SweepProgress progress = in_the_middle();
  display.show(progress, 0);
  ++progress.decided;
  display.show(progress, 0.01);
  EXPECT_NE(written.text().find(" 31/120"), std::string::npos);
}

TEST(ProgressDisplay, LeavesANoteInALineOfItsOwn) {
  const Written written;
  SweepProgress progress = in_the_middle();
  progress.note = "a note";
  {
    ProgressDisplay live(written.file(), {true, false, 40});
    live.show(progress, 0);
    ProgressDisplay pipe(written.file(), {false, false, 40});
    pipe.show(progress, 0);
  }
  const std::string text = written.text();
  EXPECT_EQ(text.find("\r\033[Ka note\n\r["), 0U) << text;
  EXPECT_NE(text.find("\033[Ka note\n30 of 120"), std::string::npos) << text;
}

// A final that has begun is not cut off, so a sweep of large problems outlasts its budget.
TEST(SweepProgress, SaysWhereFinalsWillEndWellBehindTheBudget) {
  std::string told;
  Conversation conversation(
      nullptr, 100, 1, [] { return false; },
      [&](const SweepProgress& progress) { told += progress.note; });
  conversation.finals_take(0);
  conversation.finals_take(99);
  EXPECT_EQ(told, "");
  conversation.finals_take(400);
  EXPECT_NE(told.find("take 400 s at least"), std::string::npos) << told;
  conversation.finals_take(500);
  EXPECT_EQ(told.find("500"), std::string::npos) << "once a sweep";
}

TEST(ProgressDisplay, WritesALineADecisionElsewhere) {
  const Written written;
  {
    ProgressDisplay display(written.file(), {false, false, 80});
    SweepProgress progress = in_the_middle();
    display.show(progress, 0);
    progress.doing = "racing, round 3";
    display.show(progress, 10);
    progress.decided = 31;
    progress.elapsed_s = 70;
    display.show(progress, 20);
  }
  EXPECT_EQ(written.text(), "30 of 120 problems after 1:00\n31 of 120 problems after 1:10\n");
}

}  // namespace
}  // namespace loratune
