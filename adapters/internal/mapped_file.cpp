#include "adapters/internal/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "adapters/internal/fault.h"
#include "dispatch/internal/regular_file.h"

namespace loratune {

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  std::error_code unknown;
  state_.path = std::filesystem::canonical(path_, unknown).string();
  std::string why;
  const int fd = open_regular_file(path_, why);
  if (fd < 0) refuse(path_, why);
  struct stat status {};
  int error = fstat(fd, &status) == 0 ? 0 : errno;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* at = nullptr;
  if (error == 0 && size > 0) {
    at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) error = errno;
  }
  close(fd);
  if (error != 0) refuse(path_, "cannot be read: " + std::generic_category().message(error));
  bytes_ = {static_cast<const std::byte*>(at), size};
  state_.device = status.st_dev;
  state_.inode = status.st_ino;
  state_.bytes = status.st_size;
  state_.seconds = status.st_mtim.tv_sec;
  state_.nanoseconds = status.st_mtim.tv_nsec;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace loratune
