// What a gate refuses to write to, before anything was measured.
#include "harness/base/output_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "harness/base/failure.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

// The line of the Failure; empty where there is none.
std::string line_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    EXPECT_EQ(std::string(failure.what()).find('\n'), std::string::npos);
    return failure.what();
  }
  return "";
}

std::string tried(const fs::path& path) {
  return line_of([&] { require_writable({{"--junit", path.string()}}, {}); });
}

TEST(OutputFiles, WhatCannotBeWrittenIsFoundThroughLinksToo) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "d");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  fs::create_symlink("/proc/loratune-test", folder / "nowhere");
  fs::create_symlink(folder / "d", folder / "to_folder");
  fs::create_symlink("/proc/version", folder / "to_proc");
  const std::ptrdiff_t before = folder.files();
  for (const fs::path& path :
       {folder / "d", folder / "fifo", folder / "nowhere", folder / "to_folder", folder / "to_proc",
        folder / "absent" / "f", fs::path("/dev/null"), fs::path("/proc/loratune-test")}) {
    EXPECT_EQ(tried(path).rfind("--junit '" + path.string() + "' ", 0), 0U) << tried(path);
  }
  EXPECT_EQ(folder.files(), before) << "a trial was left behind";
}

TEST(OutputFiles, WhatCanBeWrittenIsLeftAsItIs) {
  const TemporaryFolder folder;
  write_bytes(folder / "old", "bytes");
  fs::create_symlink("old", folder / "link");
  for (const char* name : {"old", "link", "new"}) EXPECT_EQ(tried(folder / name), "") << name;
  EXPECT_EQ(tried(""), "") << "an option that was not given";
  EXPECT_EQ(read_bytes(folder / "old"), "bytes");
  EXPECT_FALSE(fs::exists(folder / "new"));
}

TEST(OutputFiles, NoTwoOptionsNameOneFile) {
  const TemporaryFolder folder;
  write_bytes(folder / "plans", "{}");
  fs::create_symlink("plans", folder / "link");
  const auto both = [&](const char* written, const char* other, bool reads) {
    const NamedFile one{"--junit", (folder / written).string()};
    const NamedFile two{"--gate", (folder / other).string()};
    return line_of([&] {
      reads ? require_writable({one}, {two}) : require_writable({two, one}, {});
    });
  };
  for (const bool reads : {true, false}) {
    EXPECT_NE(both("plans", "link", reads).find("is the file of --gate too"), std::string::npos);
    EXPECT_NE(both("new", "./new", reads).find("is the file of --gate too"), std::string::npos);
    EXPECT_EQ(both("new", "plans", reads), "");
  }
}

TEST(OutputFiles, PathsThatCannotBeFollowedAreNotOneFile) {
  const TemporaryFolder folder;
  fs::create_symlink("loop", folder / "loop");
  const auto line = [&](const std::string& one, const std::string& other) {
    return line_of([&] {
      require_apart({"--out", (folder / one).string()}, {{"--journal", (folder / other).string()}});
    });
  };
  const std::string shared(300, 'x');
  EXPECT_EQ(line("loop/x", "loop/y"), "");
  EXPECT_EQ(line(shared + "1", shared + "2"), "");
  EXPECT_EQ(line(shared, "other"), "");
  EXPECT_NE(line("loop/x", "loop/x"), "");
  EXPECT_NE(line(shared, shared), "");
}

TEST(OutputFiles, AFolderThatIsGoneIsToldInALine) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::create_directory(folder / "gone");
  fs::current_path(folder / "gone");
  fs::remove(folder / "gone");
  EXPECT_EQ(line_of([] { require_apart({"--out", "a"}, {{"--journal", "b"}}); }), "");
  EXPECT_NE(line_of([] { require_writable({{"--out", "a"}}, {{"--journal", "b"}}); }), "");
  fs::current_path(before);
}

TEST(OutputFiles, AFileIsOursByItsHead) {
  const TemporaryFolder folder;
  const std::string path = (folder / "f").string();
  const auto line = [&] {
    const auto is_ours = [](std::string_view head) { return head.starts_with("ours"); };
    return line_of([&] { require_head({"--out", path}, is_ours, "page"); });
  };
  EXPECT_EQ(line(), "") << "what is not there";
  for (const std::string& ours : {std::string(), "ours" + std::string(100000, 'x')}) {
    write_bytes(path, ours);
    EXPECT_EQ(line(), "");
  }
  write_bytes(path, "mine");
  EXPECT_EQ(line(), "--out '" + path + "' exists and is no page; name another or move it away");
  if (geteuid() == 0) return;  // who may read everything
  fs::permissions(path, fs::perms::owner_write);
  EXPECT_NE(line().find("cannot be read"), std::string::npos) << line();
}

TEST(OutputFiles, OnlyWhatIsOursIsReplaced) {
  const TemporaryFolder folder;
  const std::string path = (folder / "f").string();
  const auto line = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return line_of([&] { require_ours({"--out", path}, "loratune/gate", "result of a gate"); });
  };
  for (const char* ours :
       {"", R"({"schema": "loratune/gate"})", R"({"schema":"loratune/gate","version":9})"}) {
    EXPECT_EQ(line(ours), "") << ours;
  }
  for (const char* other : {"notes\n", "[1]", "7", R"({"schema": "loratune/plans"})",
                            R"({"schema": "lora)", R"({"schema": ["loratune/gate"]})"}) {
    EXPECT_EQ(line(other), "--out '" + path +
                               "' exists and is no result of a gate; name another or move it away")
        << other;
    EXPECT_EQ(read_bytes(path), other);
  }
  EXPECT_NE(line(std::string(100000, '[')), "");
  fs::remove(path);
  EXPECT_EQ(line_of([&] { require_ours({"--out", path}, "loratune/gate", ""); }), "");
}

}  // namespace
}  // namespace loratune
