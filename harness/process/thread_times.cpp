#include "harness/process/thread_times.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace loratune {

std::map<std::string, ThreadTimes> thread_times(pid_t pid) {
  std::map<std::string, ThreadTimes> times;
  std::error_code none;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, none)) {
    std::ifstream file(task.path() / "schedstat");
    double ran_ns = 0;
    double waited_ns = 0;
    if (file >> ran_ns >> waited_ns) {
      times[task.path().filename()] = {ran_ns * 1e-9, waited_ns * 1e-9};
    }
  }
  return times;
}

double kept_waiting(const std::map<std::string, ThreadTimes>& before,
                    const std::map<std::string, ThreadTimes>& after, double elapsed) {
  ThreadTimes most;
  for (const auto& [thread, times] : after) {
    const auto earlier = before.find(thread);
    const ThreadTimes then = earlier == before.end() ? ThreadTimes{} : earlier->second;
    most.ran = std::max(most.ran, times.ran - then.ran);
    most.waited = std::max(most.waited, times.waited - then.waited);
  }
  return std::clamp(elapsed - most.ran, 0.0, most.waited);
}

}  // namespace loratune
