#include "harness/gate/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/output_files.h"

namespace loratune {
namespace {

std::string cannot_append(const std::string& path) {
  return "'" + printable(path, 300) + "', of GITHUB_STEP_SUMMARY, cannot be appended to";
}

// A descriptor to append by, below 0 where there is none. Nobody may read a pipe: neither opening
// nor writing waits for that.
int open_summary(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
  struct stat there {};
  const bool file =
      fd >= 0 && fstat(fd, &there) == 0 && (S_ISREG(there.st_mode) || S_ISCHR(there.st_mode));
  if (fd < 0 || file) return fd;
  close(fd);
  return -1;
}

bool append_summary(const std::string& path, std::string_view text) {
  const int fd = open_summary(path);
  if (fd < 0) return false;
  bool good = true;
  while (good && !text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote > 0) text.remove_prefix(static_cast<std::size_t>(wrote));
    good = wrote > 0 || (wrote < 0 && errno == EINTR);
  }
  return close(fd) == 0 && good;  // some file systems tell only then that a disk is full
}

// As to_markdown() and to_junit() begin.
bool begins_as_markdown(std::string_view text) {
  text = text.substr(0, 300);
  return text.starts_with("## ") && text.substr(0, text.find('\n')).ends_with(": performance gate");
}
bool begins_as_junit(std::string_view text) {
  text = text.substr(0, 300);
  return text.starts_with("<?xml") && text.find("\n<testsuites>\n") != std::string_view::npos &&
         text.find("\"lora-bench gate\"") != std::string_view::npos;
}

}  // namespace

void try_files(const Options& options, bool replaying) {
  const GateArguments& gate = options.gate;
  const NamedFile markdown{"--markdown", gate.markdown};
  const NamedFile junit{"--junit", gate.junit};
  const NamedFile result{"--out", options.out};
  std::vector<NamedFile> written = {markdown, junit};
  std::vector<NamedFile> others = {{"--gate", gate.base},
                                   {"--against", gate.against},
                                   {"--replay", options.replay},
                                   {"--tuned", options.tuned},
                                   {"--problems", options.problems_file}};
  if (!replaying) written.insert(written.begin(), result);
  require_writable(written, others);
  require_head(markdown, begins_as_markdown, "such report of a gate");
  require_head(junit, begins_as_junit, "such report of a gate");
  if (replaying) return;
  require_ours(result, "loratune/gate", "result of a gate");
  if (gate.step_summary.empty()) return;
  others.insert(others.end(), written.begin(), written.end());
  require_apart({"GITHUB_STEP_SUMMARY", gate.step_summary}, others);
  const int fd = open_summary(gate.step_summary);
  if (fd < 0) throw Failure(kExitUsage, cannot_append(gate.step_summary));
  close(fd);
}

bool write_files(const Options& options, bool replaying, const GateResult& result,
                 const GateReport& report, const std::string& json) {
  bool good = true;
  const auto note = [&](const std::string& error) {
    if (error.empty()) return;
    std::fprintf(stderr, "lora-bench: %s\n", printable_line(error).c_str());
    good = false;
  };
  const auto write = [&](const std::string& path, const std::string& text) {
    if (!path.empty()) note(atomic_write(path, text));
  };
  const std::string markdown = to_markdown(result, report);
  if (!replaying) write(options.out, json);
  write(options.gate.markdown, markdown);
  write(options.gate.junit, to_junit(result, report));
  const std::string& summary = options.gate.step_summary;
  if (!replaying && !summary.empty() && !append_summary(summary, markdown)) {
    note(cannot_append(summary));
  }
  return good;
}

}  // namespace loratune
