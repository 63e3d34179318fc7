// Variables that new processes get, and those that keep sanitizers from hiding a planted fault.
#pragma once

#include <cstdlib>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace loratune {

// While it lives new processes have this variable.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    setenv(name_.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { before_ ? setenv(name_.c_str(), before_->c_str(), 1) : unsetenv(name_.c_str()); }

 private:
  std::string name_;
  std::optional<std::string> before_;
};

// Several of them, each as "NAME=value".
class Environments {
 public:
  explicit Environments(const std::vector<std::string>& variables) {
    for (const std::string& variable : variables) {
      const std::size_t equals = variable.find('=');
      all_.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }

 private:
  std::list<Environment> all_;
};

// For a process that is to die of a planted fault: its sanitizer leaves a stray access to the
// system, lets another library be preloaded before it, and does not mind what a driver leaks.
inline const std::vector<std::string> kSanitizersStandBack = {
    "ASAN_OPTIONS=handle_segv=0:handle_abort=0:verify_asan_link_order=0:detect_leaks=0",
    "TSAN_OPTIONS=handle_segv=0:handle_abort=0"};

}  // namespace loratune
