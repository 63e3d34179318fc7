#include "engine/internal/program_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"

namespace loratune {
namespace {

// An entry: the mark, the lengths of key and program and the program's checksum as 8 bytes each,
// low byte first, the key, the program.
constexpr std::string_view kMark = "loratune program 1\n";
constexpr std::size_t kHead = kMark.size() + 3 * 8;
constexpr std::string_view kEnding = ".program";
constexpr std::uint64_t kMostProgram = std::uint64_t{256} << 20U;

// FNV-1a. It tells a torn file from a whole one; the key is compared byte by byte.
std::uint64_t checksum(std::string_view bytes, std::uint64_t sum = 0xcbf29ce484222325U) {
  for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return sum;
}

std::string bytes_of(std::uint64_t number) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(number >> 8 * i & 0xffU);
  return bytes;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 8; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << 8 * i;
  }
  return number;
}

std::string hexadecimal(std::uint64_t number) {
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[number >> shift & 0xfU];
  return text;
}

// Whether a file of that name is an entry, or what a killed process left of one by atomic_write().
// Whatever else stands in the folder is not the cache's.
bool is_name_of_entry(std::string_view name) {
  constexpr std::size_t kDigits = 32;
  if (name.find_first_not_of("0123456789abcdef") != kDigits) return false;
  const std::string_view ending = name.substr(kDigits);
  return ending == kEnding ||
         (ending.starts_with(std::string(kEnding) + ".") && ending.ends_with(".tmp"));
}

// Whether only this user may write.
bool is_own(const struct stat& status) {
  return status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// The bytes of a file that is this user's own, and no link.
std::optional<std::string> read_own(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::optional<std::string> bytes;
  struct stat status {};
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && is_own(status) &&
      status.st_size >= static_cast<off_t>(kHead) &&
      static_cast<std::uint64_t>(status.st_size) <= kMostProgram) {
    bytes.emplace(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t size = 0;
    while (size < bytes->size()) {
      const ssize_t got = ::read(file, bytes->data() + size, bytes->size() - size);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    bytes->resize(size);
    // Used now, so not the next to go.
    futimens(file, nullptr);
  }
  close(file);
  return bytes;
}

}  // namespace

ProgramCache::ProgramCache(const std::filesystem::path& folder, std::uint64_t most_bytes)
    : folder_(folder), most_bytes_(most_bytes) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("cache folder " + printable(folder.string(), 300) + ": " + why);
  };
  std::error_code error;
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    refuse(std::generic_category().message(errno));
  }
  struct stat status {};
  if (lstat(folder.c_str(), &status) != 0) refuse(std::generic_category().message(errno));
  if (!S_ISDIR(status.st_mode)) refuse("is no folder");
  if (!is_own(status)) refuse("belongs to another user, or others may write to it");
}

std::filesystem::path ProgramCache::path_of(std::string_view key) const {
  const std::uint64_t first = checksum(key);
  return folder_ / (hexadecimal(first) + hexadecimal(checksum(key, ~first)) + std::string(kEnding));
}

std::optional<std::string> ProgramCache::load(std::string_view key) const {
  const std::filesystem::path path = path_of(key);
  std::optional<std::string> bytes = read_own(path);
  const auto is_entry = [&] {
    if (!bytes || bytes->size() < kHead || !bytes->starts_with(kMark)) return false;
    const std::uint64_t key_size = number_at(*bytes, kMark.size());
    const std::uint64_t size = number_at(*bytes, kMark.size() + 8);
    const std::string_view rest = std::string_view(*bytes).substr(kHead);
    return key_size == key.size() && key_size <= rest.size() && size == rest.size() - key_size &&
           rest.substr(0, key_size) == key &&
           number_at(*bytes, kMark.size() + 16) == checksum(rest.substr(key_size));
  };
  if (is_entry()) return bytes->substr(kHead + key.size());
  unlink(path.c_str());
  return std::nullopt;
}

void ProgramCache::store(std::string_view key, std::string_view program) const {
  std::string bytes(kMark);
  bytes += bytes_of(key.size()) + bytes_of(program.size()) + bytes_of(checksum(program));
  bytes += key;
  bytes += program;
  if (bytes.size() > most_bytes_ || bytes.size() > kMostProgram) return;
  make_room(bytes.size());
  const std::string failed = atomic_write(path_of(key), bytes);
  static_cast<void>(failed);
}

void ProgramCache::remove(std::string_view key) const { unlink(path_of(key).c_str()); }

void ProgramCache::make_room(std::uint64_t bytes) const {
  struct Entry {
    std::filesystem::path path;
    std::filesystem::file_time_type used;
    std::uint64_t bytes = 0;
  };
  std::vector<Entry> entries;
  std::uint64_t all = bytes;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(folder_, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::error_code gone;
    const auto used = at->last_write_time(gone);
    const std::uint64_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone && is_name_of_entry(at->path().filename().string())) {
      entries.push_back({at->path(), used, size});
      all += size;
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (all <= most_bytes_) return;
    unlink(entry.path.c_str());
    all -= entry.bytes;
  }
}

}  // namespace loratune
