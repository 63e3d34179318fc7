// A MappedFile is a regular file as bytes in memory, read from the disk page by page as they are
// looked at: a file of 10 GB costs what is read of it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

class MappedFile {
 public:
  // Throws AdapterFault for what is no regular file or cannot be read.
  explicit MappedFile(std::string path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  const FileState& state() const { return state_; }

 private:
  std::string path_;
  FileState state_;
  std::span<const std::byte> bytes_;
};

}  // namespace loratune
