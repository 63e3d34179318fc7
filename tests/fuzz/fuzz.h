// A fuzz target is a file of this folder that defines read_and_use() and sound_inputs() for one
// reader. driver.cpp hands the target to libFuzzer, or replays the corpus where there is none.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/failure.h"
#include "loratune/variants/variant.h"

namespace loratune::fuzz {

// Gives the bytes to the reader, and uses what the reader makes of them as the program does, so
// that a number that crashes later is found here. Returns whether the reader took the bytes.
bool read_and_use(std::string_view bytes);

// Small inputs that this build's reader takes: where the fuzzer begins.
std::vector<std::string> sound_inputs();

// Ends the process, as a fuzzer wants it, where a promise is broken.
inline void expect(bool holds, std::string_view promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

// Text for a terminal holds no control character, and so no escape sequence.
inline void expect_printable(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
  expect(printable, "text for a terminal is printable");
}

// Whether `action` took its input. A refusal is one printable line, and the exit code of bad input.
template <class Action>
bool takes(Action action) {
  try {
    action();
    return true;
  } catch (const Failure& failure) {
    const std::string line = failure.what();
    expect(failure.code() == kExitUsage, "bad input has the exit code of bad input");
    expect(!line.empty() && line.find('\n') == std::string::npos, "a refusal is one line");
    expect_printable(line);
    return false;
  }
}

// Whether no variant of this build is a default of the problem on the device.
inline bool nothing_takes(const Problem& problem, const DeviceInfo& device) {
  return std::none_of(variants().begin(), variants().end(), [&](const Variant* variant) {
    return variant->supports(problem, device) && variant->fit(problem, device) != Fit::never;
  });
}

// A file in memory that holds the bytes.
class FileOf {
 public:
  explicit FileOf(std::string_view bytes) : fd_(memfd_create("input", MFD_CLOEXEC)) {
    while (!bytes.empty()) {
      const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
      expect(wrote > 0, "the input can be written to memory");
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  FileOf(const FileOf&) = delete;
  FileOf& operator=(const FileOf&) = delete;
  ~FileOf() { close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace loratune::fuzz
