#include "dispatch/internal/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace loratune {

int open_regular_file(const std::string& path, std::string& why) {
  // Not blocking: to open a FIFO would wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    // std::strerror shares a buffer between threads; this text does not.
    why = "cannot be read: " + std::generic_category().message(errno);
    return -1;
  }
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return fd;
  why = "is no regular file";
  close(fd);
  return -1;
}

}  // namespace loratune
