// What a worker process inherits besides its standard descriptors.
#pragma once

#include <sys/types.h>

namespace loratune {

inline constexpr int kWorkerReplyFd = 3;   // replies go here
inline constexpr int kWorkerSharedFd = 4;  // a WorkerShared in shared memory

struct WorkerShared {
  int current_arm;  // that runs now
  pid_t parent;     // with which the worker ends
};

}  // namespace loratune
