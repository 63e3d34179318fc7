// What is wrong with a file that is read, in one printable line. The functions of internal/ throw
// it, and the interface of adapters/ hands its text on as a value.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "dispatch/internal/printable.h"

namespace loratune {

class AdapterFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The name of a file or a key as messages show it.
inline std::string in_quotes(std::string_view name) { return "'" + printable(name, 200) + "'"; }

// `<file>: <what>`.
[[noreturn]] inline void refuse(std::string_view file, const std::string& what) {
  throw AdapterFault(printable(file, 300) + ": " + what);
}

// `<file>: key '<key>': <what>`.
[[noreturn]] inline void refuse(std::string_view file, std::string_view key,
                                const std::string& what) {
  refuse(file, "key " + in_quotes(key) + ": " + what);
}

}  // namespace loratune
