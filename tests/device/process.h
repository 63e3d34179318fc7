// A program under test, in a folder of its own, to be waited for or killed.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "unit/temporary_folder.h"

namespace loratune {

using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

struct Result {
  int code = -1;  // 128 + the signal that ended it
  std::string out, err;
};

// Lines that report a failure.
inline int complaints(const Result& result) {
  int lines = 0;
  for (std::size_t at = 0; at < result.err.size(); at = result.err.find('\n', at) + 1) {
    if (result.err.compare(at, 12, "lora-bench: ") == 0) ++lines;
    if (result.err.find('\n', at) == std::string::npos) break;
  }
  return lines;
}

// Processes that it started.
inline std::vector<pid_t> children_of(pid_t parent) {
  const std::string id = std::to_string(parent);
  std::vector<pid_t> pids;
  std::ifstream list("/proc/" + id + "/task/" + id + "/children");
  for (pid_t pid = 0; list >> pid;) pids.push_back(pid);
  return pids;
}

// After this a process hangs. It decides nothing of a process that ends, however slow the machine.
constexpr std::chrono::minutes kHung{25};

// Waits until the process is no more, or only awaits that its parent asks for its end.
inline bool is_gone(pid_t pid) {
  const auto until = std::chrono::steady_clock::now() + kHung;
  while (std::chrono::steady_clock::now() < until) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.compare(name_end, 3, ") Z") == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class Process {
 public:
  Process(const TemporaryFolder& folder, const Words& words, const Words& environment,
          const std::string& program = LORATUNE_BENCH)
      : folder_(folder) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
    const auto redirect = [&](int fd, const std::string& name) {
      posix_spawn_file_actions_addopen(&actions, fd, name.c_str(), O_CREAT | O_TRUNC | O_WRONLY,
                                       0644);
    };
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    redirect(STDOUT_FILENO, "stdout");
    redirect(STDERR_FILENO, "stderr");
    Words arguments = Words{program} + words;
    std::vector<char*> argv;
    for (std::string& word : arguments) argv.push_back(word.data());
    argv.push_back(nullptr);
    // A folder of device locks of its own: other suites of the machine do not make it wait.
    Words added = environment + Words{"LORATUNE_LOCK=" + folder.path().string()};
    std::vector<char*> envp;
    for (std::string& variable : added) envp.push_back(variable.data());
    for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
    envp.push_back(nullptr);
    const int error =
        posix_spawnp(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + program);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      signal(SIGKILL);
      wait();
    }
  }

  void signal(int number) const { kill(pid_, number); }

  // The end; a process that hangs is killed.
  Result wait() {
    const auto until = std::chrono::steady_clock::now() + kHung;
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > until) signal(SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_bytes(folder_ / "stdout"), read_bytes(folder_ / "stderr")};
  }

  bool running() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }

  std::vector<pid_t> children() const { return children_of(pid_); }

 private:
  const TemporaryFolder& folder_;
  pid_t pid_ = -1;
};

}  // namespace loratune
