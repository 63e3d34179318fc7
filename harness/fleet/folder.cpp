#include "harness/fleet/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/sweep/journal.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
  throw Failure(kExitUsage, "'" + printable(folder.string(), 200) + "' " + why);
}

// A journal, or what a sweep leaves beside one: `.old`, `.damaged` and their numbers.
bool is_of_a_journal(const fs::directory_entry& entry) {
  if (entry.is_symlink() || !entry.is_regular_file()) return false;
  const std::string name = entry.path().filename().string();
  if (name.find(".journal") == std::string::npos) return false;
  return is_journal_or_torn(entry.path().string()) || is_journal(entry.path().string());
}

void require_journals_alone(const fs::path& folder) {
  const char* const kNone = "is there and is no folder of journals: name another, or move it away";
  if (!fs::is_directory(folder)) refuse(folder, kNone);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!is_of_a_journal(entry)) refuse(folder, kNone);
  }
}

// Where the file system has no locks it holds nothing.
int lock_folder(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) refuse(folder, "cannot be opened: " + std::string(std::strerror(errno)));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    refuse(folder, "is in use by another sweep");
  }
  return fd;
}

void move_away(const fs::path& folder) {
  const int earlier = lock_folder(folder);
  std::string old = folder.string() + ".old";
  for (int i = 2; fs::exists(fs::symlink_status(old)); ++i) {
    old = folder.string() + ".old." + std::to_string(i);
  }
  std::error_code error;
  fs::rename(folder, old, error);
  close(earlier);
  if (error) refuse(folder, "cannot be moved out of the way: " + error.message());
}

}  // namespace

void claim_folder(const fs::path& folder, bool resume) {
  // Of a link that leads nowhere too.
  const bool there = fs::exists(fs::symlink_status(folder));
  if (resume && !there) {
    throw Failure(kExitUsage,
                  "--resume: there is no folder '" + printable(folder.string(), 200) + "'");
  }
  if (there) require_journals_alone(folder);
  if (there && !resume) move_away(folder);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) refuse(folder, "cannot be made: " + error.message());
  lock_folder(folder);
}

}  // namespace loratune
