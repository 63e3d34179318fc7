#include "harness/base/lost_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace loratune {
namespace {

// What close(2) says of stdout's file, which stays open: some file systems report only then that a
// disk is full.
int close_error() {
  const int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return copy < 0 || close(copy) == 0 || errno == EINTR ? 0 : errno;
}

}  // namespace

void hold_closed_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The wrong way round, so that to read or write is the error that it would have been.
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

std::string lost_output() {
  std::cout.flush();
  int error = std::fflush(stdout) == 0 ? 0 : errno;
  if (error == 0) error = close_error();
  // An earlier write may have failed, whose errno is not known any more.
  if (error == 0 && std::ferror(stdout) == 0 && std::cout.good()) return {};
  return "the output is not whole: " +
         (error == 0 ? std::string("stdout could not be written") : std::strerror(error));
}

}  // namespace loratune
