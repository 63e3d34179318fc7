// Opens files that come from anywhere.
#pragma once

#include <string>

namespace loratune {

// A descriptor of a regular file, which the caller closes; -1 and the reason in `why` otherwise. It
// does not wait, as to open a FIFO would.
int open_regular_file(const std::string& path, std::string& why);

}  // namespace loratune
