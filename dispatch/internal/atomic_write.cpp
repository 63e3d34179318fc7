#include "dispatch/internal/atomic_write.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "dispatch/internal/printable.h"

namespace loratune {
namespace {

// Text of errno. std::strerror shares a buffer between threads; std::error_code's text does not.
std::string error_text(int code) { return std::generic_category().message(code); }

bool write_all(int file, std::string_view bytes, const FileCalls& calls) {
  while (!bytes.empty()) {
    const ssize_t done = calls.write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done == 0) errno = ENOSPC;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool sync(int file, const FileCalls& calls) {
  int result = 0;
  do {
    result = calls.fsync(file);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

int open_retry(const char* path, int flags) {
  int file = -1;
  do {
    file = ::open(path, flags | O_CLOEXEC, 0666);
  } while (file < 0 && errno == EINTR);
  return file;
}

// A file that was not there before, its name in `name`; -1 and errno otherwise.
int open_temporary(const std::string& target, std::string& name) {
  for (int i = 0; i < 100; ++i) {  // names left behind by killed processes are passed over
    name = target + "." + std::to_string(::getpid()) + "." + std::to_string(i) + ".tmp";
    const int file = open_retry(name.c_str(), O_WRONLY | O_CREAT | O_EXCL);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

// Gives the file the mode of another, and its owner and group as far as this user may.
bool take_rights(int file, const struct stat& other) {
  struct stat mine {};
  if (::fstat(file, &mine) != 0) return false;
  mode_t mode = other.st_mode & 07777;
  if (mine.st_uid != other.st_uid || mine.st_gid != other.st_gid) {
    const bool owned = ::fchown(file, other.st_uid, other.st_gid) == 0;
    const bool grouped = owned || ::fchown(file, static_cast<uid_t>(-1), other.st_gid) == 0;
    // What one group may do, another may not.
    if (!grouped) mode &= ~static_cast<mode_t>(S_IRWXG);
  }
  return ::fchmod(file, mode) == 0;
}

}  // namespace

std::string atomic_write(const std::filesystem::path& path, std::string_view bytes,
                         const FileCalls& calls) {
  const auto failed = [&](std::string_view what, int code) {
    return printable(path.string(), 300) + ": cannot " + std::string(what) + ": " +
           error_text(code);
  };
  std::filesystem::path target = path;
  std::error_code error;
  if (std::filesystem::is_symlink(path, error)) {
    target = std::filesystem::canonical(path, error);
    if (error) return failed("follow the link", error.value());
  }
  struct stat status {};
  const bool replaces = ::stat(target.c_str(), &status) == 0;
  if (replaces && !S_ISREG(status.st_mode)) {
    return printable(path.string(), 300) + ": is no regular file";
  }

  std::string name;
  const int file = open_temporary(target.string(), name);
  if (file < 0) return failed("create a file beside it", errno);
  std::string problem;
  // Before the first byte is in the file: who may not read the old one may not read this one.
  if (replaces && !take_rights(file, status)) problem = failed("keep its rights", errno);
  if (problem.empty() && (!write_all(file, bytes, calls) || !sync(file, calls)))
    problem = failed("write", errno);
  if (::close(file) != 0 && errno != EINTR && problem.empty()) problem = failed("write", errno);
  if (problem.empty() && calls.rename(name.c_str(), target.c_str()) != 0) {
    problem = failed("replace", errno);
  }
  if (!problem.empty()) {
    ::unlink(name.c_str());
    return problem;
  }

  const int unsynced = sync_folder_of(target, calls);
  return unsynced == 0 ? std::string() : failed("sync its folder", unsynced);
}

int sync_folder_of(const std::filesystem::path& file, const FileCalls& calls) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const int folder_file = open_retry(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (folder_file < 0) return 0;  // a folder that may be written but not read: nothing to sync by
  // EINVAL: a file system that has no sync of folders.
  const int error = sync(folder_file, calls) || errno == EINVAL ? 0 : errno;
  ::close(folder_file);
  return error;
}

}  // namespace loratune
