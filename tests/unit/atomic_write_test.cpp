#include "dispatch/internal/atomic_write.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "unit/temporary_folder.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

TEST(AtomicWrite, NewAndReplaced) {
  const TemporaryFolder folder;
  EXPECT_EQ(atomic_write(folder / "f", "old"), "");
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(atomic_write(folder / "f", "new and longer"), "");
  EXPECT_EQ(read_bytes(folder / "f"), "new and longer");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicWrite, RelativePathWithoutFolder) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  EXPECT_EQ(atomic_write("plain", "x"), "");
  fs::current_path(before);
  EXPECT_EQ(read_bytes(folder / "plain"), "x");
}

TEST(AtomicWrite, InterruptedAndShortWritesAreContinued) {
  const TemporaryFolder folder;
  FileCalls calls;
  calls.write = [](int file, const void* bytes, size_t size) -> ssize_t {
    static int call = 0;
    if (++call % 2 == 1) {
      errno = EINTR;
      return -1;
    }
    return ::write(file, bytes, size < 3 ? size : 3);
  };
  calls.fsync = [](int file) {
    static int call = 0;
    if (++call % 2 == 1) {
      errno = EINTR;
      return -1;
    }
    return ::fsync(file);
  };
  EXPECT_EQ(atomic_write(folder / "f", "ten  bytes", calls), "");
  EXPECT_EQ(read_bytes(folder / "f"), "ten  bytes");
}

// Each failure leaves the old file whole and nothing beside it.
TEST(AtomicWrite, FailuresKeepTheOldFile) {
  FileCalls full, no_space, unsynced, unrenamed;
  full.write = [](int, const void*, size_t) -> ssize_t {
    errno = ENOSPC;
    return -1;
  };
  no_space.write = [](int file, const void* bytes, size_t) -> ssize_t {
    static bool first = true;
    if (first) {
      first = false;
      return ::write(file, bytes, 2);
    }
    errno = ENOSPC;
    return -1;
  };
  unsynced.fsync = [](int) {
    errno = EIO;
    return -1;
  };
  unrenamed.rename = [](const char*, const char*) {
    errno = EROFS;
    return -1;
  };
  for (const FileCalls& calls : {full, no_space, unsynced, unrenamed}) {
    const TemporaryFolder folder;
    write_bytes(folder / "f", "old");
    const std::string error = atomic_write(folder / "f", "new bytes", calls);
    EXPECT_NE(error, "");
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_EQ(read_bytes(folder / "f"), "old");
    EXPECT_EQ(folder.files(), 1) << "a temporary file was left behind";
  }
}

TEST(AtomicWrite, ARealLimitOfFileSize) {
  const TemporaryFolder folder;
  write_bytes(folder / "f", "old");
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string error = atomic_write(folder / "f", std::string(10000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(error.find("cannot write"), std::string::npos) << error;
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicWrite, FolderThatTakesNoFiles) {
  EXPECT_NE(atomic_write("/proc/loratune-test", "x"), "");
  EXPECT_NE(atomic_write("/nonexistent/folder/f", "x"), "");
}

TEST(AtomicWrite, OnlyRegularFilesAreReplaced) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "d");
  EXPECT_NE(atomic_write(folder / "d", "x"), "");
  ASSERT_EQ(::mkfifo((folder / "p").c_str(), 0600), 0);
  EXPECT_NE(atomic_write(folder / "p", "x"), "");
  EXPECT_TRUE(fs::is_fifo(folder / "p"));
  EXPECT_NE(atomic_write("/dev/null", "x"), "");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(AtomicWrite, FollowsALinkAndKeepsIt) {
  const TemporaryFolder folder;
  write_bytes(folder / "target", "old");
  fs::create_symlink("target", folder / "link");
  EXPECT_EQ(atomic_write(folder / "link", "new"), "");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_bytes(folder / "target"), "new");
}

TEST(AtomicWrite, KeepsTheModeOfAFileThatItReplaces) {
  const TemporaryFolder folder;
  const auto mode_of = [](const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  };
  const mode_t before = ::umask(022);
  EXPECT_EQ(atomic_write(folder / "fresh", "x"), "");
  EXPECT_EQ(mode_of(folder / "fresh"), 0644U);
  for (const mode_t mode : {0640U, 0600U, 0666U, 0444U, 0660U}) {
    write_bytes(folder / "f", "old");
    ASSERT_EQ(::chmod((folder / "f").c_str(), mode), 0);
    EXPECT_EQ(atomic_write(folder / "f", "new"), "");
    EXPECT_EQ(mode_of(folder / "f"), mode);
    EXPECT_EQ(read_bytes(folder / "f"), "new");
    fs::remove(folder / "f");
  }
  ::umask(before);
}

// Nobody may read for a moment what is not for them: a reader stands in for who looks just then.
TEST(AtomicWrite, HasTheModeBeforeItHasTheBytes) {
  const TemporaryFolder folder;
  write_bytes(folder / "f", "old");
  ASSERT_EQ(::chmod((folder / "f").c_str(), 0600), 0);
  static mode_t seen = 0;
  FileCalls calls;
  calls.write = [](int file, const void* bytes, size_t size) -> ssize_t {
    struct stat status {};
    if (::fstat(file, &status) == 0) seen = status.st_mode & 07777;
    return ::write(file, bytes, size);
  };
  EXPECT_EQ(atomic_write(folder / "f", "new", calls), "");
  EXPECT_EQ(seen, 0600U);
}

// Only root may try what becomes of another user's file.
TEST(AtomicWrite, KeepsTheOwnerWhereRootReplacesAFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const TemporaryFolder folder;
  write_bytes(folder / "f", "old");
  if (::chown((folder / "f").c_str(), 1234, 2345) != 0) GTEST_SKIP() << "cannot give a file away";
  EXPECT_EQ(atomic_write(folder / "f", "new"), "");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1234U);
  EXPECT_EQ(status.st_gid, 2345U);
}

// What a killed process left under the temporary name must not stop its successor.
TEST(AtomicWrite, PassesOverALeftTemporary) {
  const TemporaryFolder folder;
  write_bytes(folder / ("f." + std::to_string(::getpid()) + ".0.tmp"), "left");
  EXPECT_EQ(atomic_write(folder / "f", "new"), "");
  EXPECT_EQ(read_bytes(folder / "f"), "new");
}

}  // namespace
}  // namespace loratune
