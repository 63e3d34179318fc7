// How long others kept a process from the processor.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

namespace loratune {

// Seconds for which a thread ran, and for which it was ready to run while others had the processor.
struct ThreadTimes {
  double ran = 0, waited = 0;
};

// By thread. Empty where the system does not say. Source: schedstat in /proc/PID/task.
std::map<std::string, ThreadTimes> thread_times(pid_t pid);

// Of the `elapsed` seconds between two looks at a process, those in which it would have come
// further on an idle machine: a thread waited, and none ran for long. Seconds in which one thread
// ran count as the process's own, however many others waited, so that a process that computes
// without end on many threads is found. Threads that work in turn are seen where the looks are
// close together.
double kept_waiting(const std::map<std::string, ThreadTimes>& before,
                    const std::map<std::string, ThreadTimes>& after, double elapsed);

}  // namespace loratune
