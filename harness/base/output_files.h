// The files that a mode writes, tried before the work that they are for.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace loratune {

// A file as an option of the command line names it.
struct NamedFile {
  std::string option, path;  // the path is empty where the option was not given
};

// Throws Failure (kExitUsage), with one line that names the option, where a file cannot be written
// through whatever links lead to it, or where one of `written` is also another of them or one of
// `read`. Leaves no trace.
void require_writable(const std::vector<NamedFile>& written, const std::vector<NamedFile>& read);

// The latter alone: throws where `written` is also one of `read`.
void require_apart(const NamedFile& written, const std::vector<NamedFile>& read);

// Throws Failure (kExitUsage) where the file is there and neither empty nor JSON of `schema`: it is
// somebody else's, and would be lost.
void require_ours(const NamedFile& file, const std::string& schema, const std::string& what);

// The same of a file that is no JSON, or may be too large to read: it is ours by its first 4096
// bytes. One that cannot be read is not ours.
void require_head(const NamedFile& file, const std::function<bool(std::string_view)>& is_ours,
                  const std::string& what);

}  // namespace loratune
