#include "engine/internal/program_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "unit/temporary_folder.h"

namespace loratune {
namespace {

constexpr std::uint64_t kMost = 1 << 20;

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(ProgramCache, GivesWhatWasStoredUnderTheKey) {
  const TemporaryFolder folder;
  const std::string program(
      "\0\x7f"
      "ELF\n",
      6);
  ProgramCache(folder / "a" / "b", kMost).store("key", program);
  const ProgramCache cache(folder / "a" / "b", kMost);
  EXPECT_EQ(cache.load("key"), program);
  EXPECT_EQ(cache.load("other key"), std::nullopt);
  struct stat status {};
  ASSERT_EQ(stat((folder / "a" / "b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  cache.remove("key");
  EXPECT_EQ(cache.load("key"), std::nullopt);
}

TEST(ProgramCache, PassesOverAFolderThatOthersMayWriteTo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "open");
  ASSERT_EQ(chmod((folder / "open").c_str(), 0777), 0);
  EXPECT_THROW(ProgramCache(folder / "open", kMost), std::invalid_argument);
  write(folder / "file", "");
  EXPECT_THROW(ProgramCache(folder / "file", kMost), std::invalid_argument);
  std::filesystem::create_directory_symlink(folder.path(), folder / "link");
  EXPECT_THROW(ProgramCache(folder / "link", kMost), std::invalid_argument);
}

// Every byte of an entry counts, and so does its end.
TEST(ProgramCache, PassesOverEntriesThatAreDamaged) {
  const TemporaryFolder folder;
  const ProgramCache cache(folder / "cache", kMost);
  cache.store("key", "program");
  const std::string sound = read_bytes(cache.path_of("key"));
  for (std::size_t i = 0; i < sound.size(); ++i) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    write(cache.path_of("key"), damaged);
    EXPECT_EQ(cache.load("key"), std::nullopt) << i;
    EXPECT_FALSE(std::filesystem::exists(cache.path_of("key")));
    write(cache.path_of("key"), sound.substr(0, i));
    EXPECT_EQ(cache.load("key"), std::nullopt) << i;
  }
  write(cache.path_of("key"), sound + "x");
  EXPECT_EQ(cache.load("key"), std::nullopt);
  write(cache.path_of("key"), sound);
  EXPECT_EQ(cache.load("key"), "program");
}

TEST(ProgramCache, PassesOverEntriesOfAnotherKeyAndForeignFiles) {
  const TemporaryFolder folder;
  const ProgramCache cache(folder / "cache", kMost);
  cache.store("other", "program");
  const std::string other = read_bytes(cache.path_of("other"));
  write(cache.path_of("key"), other);
  EXPECT_EQ(cache.load("key"), std::nullopt);

  cache.store("key", "program");
  ASSERT_EQ(chmod(cache.path_of("key").c_str(), 0666), 0);
  EXPECT_EQ(cache.load("key"), std::nullopt);

  cache.store("key", "program");
  std::filesystem::rename(cache.path_of("key"), folder / "elsewhere");
  std::filesystem::create_symlink(folder / "elsewhere", cache.path_of("key"));
  EXPECT_EQ(cache.load("key"), std::nullopt);
  EXPECT_TRUE(std::filesystem::exists(folder / "elsewhere"));
}

TEST(ProgramCache, KeepsWithinItsBoundWhatWasUsedLast) {
  const TemporaryFolder folder;
  const ProgramCache cache(folder / "cache", 4000);
  const std::string program(1000, 'p');
  for (const char* key : {"a", "b", "c"}) {
    cache.store(key, program);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
  EXPECT_TRUE(cache.load("a"));
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  cache.store("d", program);
  EXPECT_TRUE(cache.load("a"));
  EXPECT_FALSE(cache.load("b"));
  EXPECT_TRUE(cache.load("d"));
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache")) {
    bytes += entry.file_size();
  }
  EXPECT_LE(bytes, 4000U);
  cache.store("large", std::string(5000, 'p'));
  EXPECT_FALSE(cache.load("large"));
  EXPECT_TRUE(cache.load("a"));
}

// What a killed process left of an entry goes, and nothing that is not the cache's own.
TEST(ProgramCache, LeavesTheFilesOfOthersInItsFolder) {
  const TemporaryFolder folder;
  const ProgramCache cache(folder / "cache", 3000);
  const std::string program(1000, 'p');
  const std::string of_32_digits(32, 'a');
  const std::string foreign[] = {"my.program.py",
                                 "conference.programme.pdf",
                                 "the.program",
                                 of_32_digits,
                                 of_32_digits + ".programme",
                                 of_32_digits + ".program.py",
                                 "0" + of_32_digits + ".program",
                                 std::string(32, 'A') + ".program",
                                 "old" + of_32_digits + ".program"};
  for (const std::string& name : foreign) write(folder / "cache" / name, program);
  const std::filesystem::path left = folder / "cache" / (of_32_digits + ".program.4242.0.tmp");
  write(left, program);
  std::filesystem::last_write_time(
      left, std::filesystem::last_write_time(left) - std::chrono::hours(1));  // the first to go
  for (const char* key : {"a", "b", "c", "d"}) cache.store(key, program);
  for (const std::string& name : foreign) {
    EXPECT_TRUE(std::filesystem::exists(folder / "cache" / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(cache.load("d")) << "files of others do not count";
}

TEST(ProgramCache, IsSharedByThreads) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const ProgramCache cache(folder / "cache", 3000);
      for (int i = 0; i < 50; ++i) {
        const std::string key = std::to_string(i % 5);
        const auto found = cache.load(key);
        if (found) {
          EXPECT_EQ(*found, std::string(500, key[0]));
        } else {
          cache.store(key, std::string(500, key[0]));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace loratune
