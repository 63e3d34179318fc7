#include "harness/sweep/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "harness/base/failure.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

const json kHeader = {{"schema", "loratune/journal"}, {"version", 1}, {"seed", 1}};

json line(const std::string& tag, const json& reply, double t) {
  return {{"ask", tag}, {"t", t}, {"reply", reply}};
}

json never() { throw std::logic_error("the device was asked"); }

class JournalTest : public testing::Test {
 protected:
  std::string path() const { return (folder_ / "a.journal").string(); }
  std::string bytes() const { return read_bytes(path()); }
  void write(const std::string& content) const { write_bytes(path(), content); }

  // The Failure's line; empty without one.
  template <class Action>
  std::string failure(Action action) const {
    try {
      action();
    } catch (const Failure& failed) {
      EXPECT_EQ(failed.code(), kExitUsage);
      return failed.what();
    }
    return {};
  }

  // Goes on with the journal of a sweep of this header.
  Journal resumed(const json& header = kHeader) const {
    Journal journal = Journal::resume(path());
    journal.begin(header);
    return journal;
  }

  TemporaryFolder folder_;
};

const std::string kFirst = frame_line(kHeader);
const std::string kSecond = frame_line(line("build a", {{"ns", 0.1}}, 1.5));
const std::string kThird = frame_line(line("round a 0", {{"ns", {1.25, 3e-7}}}, 2.5));

TEST_F(JournalTest, FramesALineByCrcAndLength) {
  EXPECT_EQ(frame_line({{"a", 1}}), "561bacaf 7 {\"a\":1}\n");
}

TEST_F(JournalTest, ReadsBackWhatItWrote) {
  {
    Journal journal = Journal::create(path(), kHeader);
    EXPECT_EQ(journal.ask("build a", [] { return json{{"ns", 0.1}}; }), (json{{"ns", 0.1}}));
    journal.ask("round a 0", [] { return json{{"bad", "\xff text"}}; });
  }
  const JournalContent content = read_journal(path());
  EXPECT_EQ(content.header, kHeader);
  ASSERT_EQ(content.replies.size(), 2U);
  EXPECT_EQ(content.replies[0].at("ask"), "build a");
  EXPECT_EQ(content.replies[0].at("reply"), (json{{"ns", 0.1}}));
  EXPECT_GE(content.replies[1].at("t").get<double>(), content.replies[0].at("t").get<double>());
  EXPECT_EQ(content.whole_bytes, bytes().size());
}

TEST_F(JournalTest, GivesLiveWhatAReplayWillGive) {
  json live;
  {
    Journal journal = Journal::create(path(), kHeader);
    live = journal.ask("a", [] { return json{{"ns", 1.0 / 3}, {"detail", "\xff"}}; });
  }
  Journal again = Journal::replay(read_journal(path()));
  EXPECT_EQ(again.ask("a", never), live);
}

TEST_F(JournalTest, LosesALineTornAnywhereAndNoOther) {
  const std::string whole = kFirst + kSecond;
  for (std::size_t cut = 0; cut < kThird.size(); ++cut) {
    write(whole + kThird.substr(0, cut));
    const JournalContent content = read_journal(path());
    ASSERT_EQ(content.replies.size(), 1U) << cut;
    ASSERT_EQ(content.whole_bytes, whole.size()) << cut;
  }
  write(whole + kThird);
  EXPECT_EQ(read_journal(path()).replies.size(), 2U);
}

TEST_F(JournalTest, LosesALineWithAnyByteChanged) {
  const std::string whole = kFirst + kSecond;
  for (std::size_t i = 0; i < kThird.size(); ++i) {
    std::string changed = kThird;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write(whole + changed);
    ASSERT_EQ(read_journal(path()).replies.size(), 1U) << i;
  }
}

TEST_F(JournalTest, LooksAtNothingBehindATornLine) {
  write(kFirst + kSecond.substr(0, 20) + "\n" + kThird);
  EXPECT_TRUE(read_journal(path()).replies.empty());
}

TEST_F(JournalTest, ResumesBehindATornLine) {
  for (const std::size_t cut : {std::size_t{1}, kThird.size() / 2, kThird.size() - 1}) {
    write(kFirst + kSecond + kThird.substr(0, cut));
    {
      Journal journal = resumed();
      EXPECT_GE(journal.elapsed(), 1.5);
      EXPECT_EQ(journal.ask("build a", never), (json{{"ns", 0.1}}));
      EXPECT_EQ(journal.ask("round a 0", [] { return json(7); }), json(7));
    }
    const JournalContent content = read_journal(path());
    ASSERT_EQ(content.replies.size(), 2U);
    EXPECT_EQ(content.replies[1].at("reply"), json(7));
    EXPECT_GE(content.replies[1].at("t").get<double>(), 1.5);
    EXPECT_EQ(content.whole_bytes, bytes().size());
  }
}

TEST_F(JournalTest, IsWrittenByOneSweepAtATime) {
  {
    const Journal writing = Journal::create(path(), kHeader);
    const std::string before = bytes();
    for (const bool anew : {true, false}) {
      const std::string why =
          failure([&] { anew ? Journal::create(path(), kHeader) : Journal::resume(path()); });
      EXPECT_NE(why.find("another sweep"), std::string::npos) << why;
      EXPECT_EQ(bytes(), before);
    }
  }
  EXPECT_EQ(failure([&] { resumed(); }), "");
  EXPECT_EQ(failure([&] { Journal::create(path(), kHeader); }), "");
}

TEST_F(JournalTest, DoesNotResumeAnotherSweepAndSaysWhatDiffers) {
  write(kFirst + kSecond);
  json other = kHeader;
  other["seed"] = 2;
  const std::string why = failure([&] { resumed(other); });
  EXPECT_NE(why.find("seed"), std::string::npos) << why;
  EXPECT_EQ(why.find("version"), std::string::npos) << why;
  EXPECT_EQ(bytes(), kFirst + kSecond);
  other = kHeader;
  other["more"] = true;
  EXPECT_NE(failure([&] { resumed(other); }), "");
  other = kHeader;
  other.erase("seed");
  EXPECT_NE(failure([&] { resumed(other); }), "");
}

TEST_F(JournalTest, ReplaysAndThenEnds) {
  write(kFirst + kSecond + kThird);
  Journal journal = Journal::replay(read_journal(path()));
  EXPECT_EQ(journal.ask("build a", never), (json{{"ns", 0.1}}));
  EXPECT_EQ(journal.ask("round a 0", never), (json{{"ns", {1.25, 3e-7}}}));
  EXPECT_THROW(journal.ask("round a 1", never), Journal::ReplayEnd);
  EXPECT_EQ(bytes(), kFirst + kSecond + kThird);
}

TEST_F(JournalTest, RefusesAnAnswerToAnotherQuestion) {
  write(kFirst + kSecond);
  Journal journal = Journal::replay(read_journal(path()));
  const std::string why = failure([&] { journal.ask("build b", never); });
  EXPECT_NE(why.find("'build a'"), std::string::npos) << why;
  EXPECT_NE(why.find("'build b'"), std::string::npos) << why;
}

TEST_F(JournalTest, KeepsEachOneBeforeUnderANameOfItsOwn) {
  write(kFirst + kSecond);
  { Journal::create(path(), kHeader); }
  EXPECT_EQ(read_bytes(path() + ".old"), kFirst + kSecond);
  { Journal::create(path(), kHeader); }
  EXPECT_EQ(read_bytes(path() + ".old"), kFirst + kSecond);
  EXPECT_EQ(read_bytes(path() + ".old.2"), kFirst);
  EXPECT_EQ(bytes(), kFirst);
  write(kFirst.substr(0, 5));  // cut off within its first line
  EXPECT_EQ(failure([&] { Journal::create(path(), kHeader); }), "");
}

TEST_F(JournalTest, MovesNothingThatIsNoJournal) {
  write("precious");
  EXPECT_NE(failure([&] { Journal::create(path(), kHeader); }), "");
  EXPECT_EQ(bytes(), "precious");
  EXPECT_FALSE(std::filesystem::exists(path() + ".old"));
  for (const std::string& other : {folder_.path().string(), std::string("/dev/null")}) {
    EXPECT_NE(failure([&] { Journal::create(other, kHeader); }), "") << other;
    EXPECT_TRUE(std::filesystem::exists(other));
  }
  const std::string fifo = (folder_ / "fifo").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_NE(failure([&] { Journal::create(fifo, kHeader); }), "");
  EXPECT_NE(failure([&] { Journal::resume(fifo); }), "");
  EXPECT_NE(failure([&] { read_journal(fifo); }), "");
  EXPECT_NE(failure([&] { read_journal("/dev/zero"); }), "");
}

TEST_F(JournalTest, SaysWhichLineIsDamagedAndKeepsTheWhole) {
  std::string changed = kSecond;
  changed[25] = static_cast<char>(changed[25] ^ 1);
  const std::string damaged = kFirst + changed + kThird + kThird;
  write(damaged);
  const JournalContent content = read_journal(path());
  EXPECT_EQ(content.damage, "line 2 is damaged: it is lost, and so are 2 lines behind it");
  { resumed(); }
  EXPECT_EQ(bytes(), kFirst);
  EXPECT_EQ(read_bytes(path() + ".damaged"), damaged);
  write(kFirst + kSecond + kThird.substr(0, 9));  // as a kill leaves it
  EXPECT_EQ(read_journal(path()).damage, "");
  std::string header = kFirst;
  header[25] = static_cast<char>(header[25] ^ 1);
  write(header + kSecond);
  EXPECT_NE(failure([&] { read_journal(path()); }).find("line 1 is damaged"), std::string::npos);
}

// As a file system may leave a file's end after a power cut.
TEST_F(JournalTest, SaysThatItsEndIsNoLine) {
  for (const std::string& end : {std::string(4096, '\0'), std::string("garbage")}) {
    write(kFirst + kSecond + end);
    const JournalContent content = read_journal(path());
    EXPECT_EQ(content.replies.size(), 1U);
    EXPECT_EQ(content.damage, "what stands behind line 2 is no line (" +
                                  std::to_string(end.size()) + " bytes): it is lost");
    { resumed(); }
    EXPECT_EQ(bytes(), kFirst + kSecond);
  }
  EXPECT_EQ(read_bytes(path() + ".damaged"), kFirst + kSecond + std::string(4096, '\0'));
  write("# A file of lines\n\nand more\n");
  EXPECT_NE(failure([&] { read_journal(path()); }).find("is no journal of a sweep"),
            std::string::npos);
}

TEST_F(JournalTest, RefusesALineThatIsNoReply) {
  for (const json& foreign :
       {json(7), json{{"ask", 7}, {"t", 1}, {"reply", 0}}, json{{"ask", "a"}, {"t", 1}},
        json{{"ask", "a"}, {"t", "soon"}, {"reply", 0}}}) {
    write(kFirst + frame_line(foreign));
    EXPECT_NE(failure([&] { read_journal(path()); }).find("line 2"), std::string::npos) << foreign;
  }
}

TEST_F(JournalTest, AnEmptyOneIsBegunAfresh) {
  write("");
  { resumed(); }
  EXPECT_EQ(bytes(), kFirst);
}

// As a full disk or a limit on files leaves it: the header is what is written first.
TEST_F(JournalTest, OneCutOffWithinItsHeaderIsBegunAfresh) {
  for (std::size_t cut = 1; cut < kFirst.size(); ++cut) {
    write(kFirst.substr(0, cut));
    EXPECT_TRUE(read_journal(path()).header.is_null()) << cut;
    { resumed(); }
    ASSERT_EQ(bytes(), kFirst) << cut;
  }
  EXPECT_EQ(read_bytes(path() + ".damaged"), kFirst.substr(0, 1)) << "it may be no journal's";
  for (const char* other : {"deadbeef is no checksum", "deadbeef 12 monkeys", "cafe au lait",
                            "561bacaf 7 {\"a\":1,\"b\":2", "561bacaf\t7 {"}) {
    write(other);
    EXPECT_NE(failure([&] { resumed(); }), "") << other;
    EXPECT_EQ(bytes(), other);
  }
}

TEST_F(JournalTest, SaysItsNameWhereItDoesNotFit) {
  write(kFirst + kSecond);
  Journal journal = Journal::replay(read_journal(path()));
  const std::string why = failure([&] { journal.ask("build b", never); });
  EXPECT_EQ(why.find("journal '" + path() + "': does not fit"), 0U) << why;
}

TEST_F(JournalTest, IsReadAsGzipCompressedItAndNotGoneOnWith) {
  const std::string all = kFirst + kSecond + kThird;
  const gzFile file = gzopen(path().c_str(), "wb");
  ASSERT_EQ(gzwrite(file, all.data(), static_cast<unsigned>(all.size())),
            static_cast<int>(all.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
  const std::string compressed = bytes();
  ASSERT_NE(compressed, all);
  EXPECT_TRUE(is_journal(path()));
  EXPECT_EQ(read_journal(path()).replies.size(), 2U);
  EXPECT_NE(failure([&] { resumed(); }), "");
  EXPECT_NE(failure([&] { Journal::create(path(), kHeader); }).find("is there and is no journal"),
            std::string::npos);
  EXPECT_EQ(bytes(), compressed);
  write(compressed.substr(0, compressed.size() / 2));
  EXPECT_NE(failure([&] { read_journal(path()); }).find("is damaged"), std::string::npos);
}

TEST_F(JournalTest, TakesAnEmptyFileForAnEmptyJournal) {
  write("");
  const JournalContent content = read_journal(path());
  EXPECT_TRUE(content.header.is_null());
  EXPECT_TRUE(content.replies.empty());
}

TEST_F(JournalTest, RefusesWhatIsNoJournal) {
  EXPECT_NE(failure([&] { read_journal((folder_ / "missing").string()); }), "");
  EXPECT_NE(failure([&] { read_journal(folder_.path().string()); }), "") << "a folder";
  for (const std::string& content :
       {std::string("hello\n"), std::string("\n"), std::string(1000, '\0'), kSecond,
        kFirst.substr(0, 30) + "\n", frame_line({{"schema", "other"}}), frame_line({{"schema", 5}}),
        frame_line(5)}) {
    write(content);
    EXPECT_NE(failure([&] { read_journal(path()); }), "") << content;
  }
}

TEST_F(JournalTest, SyncsEachLineAndFailsWhereThatFails) {
  static int synced;
  static int failing;
  synced = failing = 0;
  FileCalls calls;
  calls.fsync = [](int) {
    ++synced;
    errno = failing;
    return failing == 0 ? 0 : -1;
  };
  Journal journal = Journal::create(path(), kHeader, calls);
  EXPECT_EQ(synced, 1);
  journal.ask("a", [] { return json(1); });
  EXPECT_EQ(synced, 2);
  failing = EIO;
  const std::string why = failure([&] { journal.ask("b", [] { return json(1); }); });
  EXPECT_NE(why.find("cannot be written"), std::string::npos) << why;
}

TEST_F(JournalTest, GoesOnAfterInterruptedCalls) {
  static int calls_left;
  calls_left = 0;
  FileCalls calls;
  calls.write = [](int fd, const void* bytes, std::size_t count) -> ssize_t {
    if (++calls_left % 2 == 1) return errno = EINTR, -1;
    return ::write(fd, bytes, std::min<std::size_t>(count, 7));  // and short ones
  };
  calls.fsync = [](int) { return ++calls_left % 3 != 0 ? (errno = EINTR, -1) : 0; };
  Journal journal = Journal::create(path(), kHeader, calls);
  journal.ask("build a", [] { return json{{"ns", 0.1}}; });
  EXPECT_EQ(read_journal(path()).replies.size(), 1U);
}

TEST_F(JournalTest, FailsWhereItCannotBeWritten) {
  EXPECT_NE(failure([&] { Journal::create((folder_ / "no/such/folder").string(), kHeader); }), "");
  Journal journal = Journal::create(path(), kHeader);
  // As a full disk: the file may not grow.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full = before;
  full.rlim_cur = kFirst.size() + 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  const std::string why = failure([&] { journal.ask("a", [] { return json(1); }); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(why.find("cannot be written"), std::string::npos) << why;
  EXPECT_EQ(read_journal(path()).header, kHeader) << "what was there is lost";
}

}  // namespace
}  // namespace loratune
