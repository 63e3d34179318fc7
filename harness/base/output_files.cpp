#include "harness/base/output_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

std::string named(const NamedFile& file) {
  return file.option + " '" + printable(file.path, 300) + "' ";
}

[[noreturn]] void refuse(const NamedFile& file, const std::string& why) {
  throw Failure(kExitUsage, named(file) + why);
}

[[noreturn]] void refuse_foreign(const NamedFile& file, const std::string& what) {
  refuse(file, "exists and is no " + what + "; name another or move it away");
}

// The file itself, behind the links that atomic_write follows too.
fs::path behind_links(const NamedFile& file) {
  std::error_code error;
  if (!fs::is_symlink(file.path, error)) return file.path;
  fs::path target = fs::canonical(file.path, error);
  if (error) refuse(file, "is a link that leads nowhere: " + error.message());
  return target;
}

// A file is replaced by one that is made beside it: that is what is tried.
void try_to_write(const NamedFile& file) {
  const fs::path target = behind_links(file);
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(file, "is no regular file");
  const std::string trial = target.string() + "." + std::to_string(getpid()) + ".trial";
  const int fd = open(trial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) refuse(file, "cannot be written: " + std::string(std::strerror(errno)));
  close(fd);
  unlink(trial.c_str());
}

bool same_file(const NamedFile& one, const NamedFile& other) {
  if (one.path.empty() || other.path.empty()) return false;
  std::error_code error;
  if (one.path == other.path || fs::equivalent(one.path, other.path, error)) return true;
  // Of a path that cannot be followed nothing is known, and so nothing is the same.
  const auto place = [&](const std::string& path) {
    const fs::path absolute = fs::absolute(path, error);
    return error ? fs::path() : fs::weakly_canonical(absolute, error);
  };
  const fs::path first = place(one.path);
  if (error) return false;
  const fs::path second = place(other.path);
  return !error && first == second;
}

}  // namespace

void require_writable(const std::vector<NamedFile>& written, const std::vector<NamedFile>& read) {
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i].path.empty()) continue;
    std::vector<NamedFile> others = read;
    others.insert(others.end(), written.begin(), written.begin() + static_cast<std::ptrdiff_t>(i));
    require_apart(written[i], others);
    try_to_write(written[i]);
  }
}

void require_apart(const NamedFile& written, const std::vector<NamedFile>& read) {
  for (const NamedFile& other : read) {
    if (same_file(written, other)) refuse(written, "is the file of " + other.option + " too");
  }
}

void require_ours(const NamedFile& file, const std::string& schema, const std::string& what) {
  std::error_code error;
  if (file.path.empty() || !fs::is_regular_file(file.path, error)) return;
  const std::string bytes = read_file(file.path, file.option);
  if (bytes.empty()) return;
  bool ours = false;
  try {
    const nlohmann::json value = parse_json(bytes);
    ours = value.is_object() && value.value("schema", nlohmann::json()) == schema;
  } catch (const std::invalid_argument&) {
    ours = false;  // what is no JSON is not ours
  }
  if (!ours) refuse_foreign(file, what);
}

void require_head(const NamedFile& file, const std::function<bool(std::string_view)>& is_ours,
                  const std::string& what) {
  std::error_code error;
  if (file.path.empty() || !fs::is_regular_file(file.path, error)) return;
  std::string why;
  const int fd = open_regular_file(file.path, why);
  if (fd < 0) refuse(file, why);
  std::string head(4096, '\0');
  const ssize_t got = read(fd, head.data(), head.size());
  const int code = errno;
  close(fd);
  if (got < 0) refuse(file, "cannot be read: " + std::string(std::strerror(code)));
  head.resize(static_cast<std::size_t>(got));
  if (!head.empty() && !is_ours(head)) refuse_foreign(file, what);
}

}  // namespace loratune
