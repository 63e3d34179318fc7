// Writes a file whole or not at all.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace loratune {

// The system calls that can fail half way; a test plants failures here.
struct FileCalls {
  ssize_t (*write)(int, const void*, size_t) = ::write;
  int (*fsync)(int) = ::fsync;
  int (*rename)(const char*, const char*) = std::rename;
};

// Empty, or the error in one line. The bytes go to a temporary file in the same folder, which takes
// the path's name only when they are on the disk: until then the path keeps what it had. A symbolic
// link is followed. The new file has the mode of the old one, and its owner as far as this user may
// give it. A path that is there and is no regular file is refused.
std::string atomic_write(const std::filesystem::path& path, std::string_view bytes,
                         const FileCalls& calls = {});

// Makes the file's name outlast a power cut. 0, or errno; a folder that cannot be synced counts as
// synced.
int sync_folder_of(const std::filesystem::path& file, const FileCalls& calls = {});

}  // namespace loratune
