// A PlatformGuard stands by while find_devices() asks OpenCL's platforms for their devices. A
// driver that never answers, or ends the process, would take the whole command with it. So the
// process then begins the same command anew, and the command passes over that platform and says
// why: the environment carries the reason, to the workers too. The guard knows nothing of what a
// driver does later.
#pragma once

#include <csignal>
#include <cstddef>
#include <map>
#include <string>

namespace loratune {

// Lets a guard begin this process anew, by main()'s argv. Where it may not, which is so in a worker
// and under MPI, the guard ends the process with a line and kExitDeviceFault.
void may_begin_anew(char** argv);

// There is one at a time, and no other thread asks for devices then.
class PlatformGuard {
 public:
  PlatformGuard();
  ~PlatformGuard();
  PlatformGuard(const PlatformGuard&) = delete;
  PlatformGuard& operator=(const PlatformGuard&) = delete;

  // Why the platform of this number is passed over. Empty: it is asked next, and from now on the
  // guard blames it for whatever happens. `name` is empty where the platform did not tell it yet.
  std::string before(std::size_t number, const std::string& name);

 private:
  void take_signals();

  std::map<std::size_t, std::string> passed_over_;
  std::map<int, struct sigaction> actions_;  // what stands for a signal without the guard
};

}  // namespace loratune
