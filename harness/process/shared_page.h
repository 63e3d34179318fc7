// What a WorkerProcess and its parent share apart from messages: the descriptors that the process
// inherits, and a page of memory that both see.
#pragma once

#include <sys/types.h>

namespace loratune {

inline constexpr int kWorkerReplyFd = 3;   // replies go here
inline constexpr int kWorkerSharedFd = 4;  // a WorkerShared in shared memory

// Stands for no arm, and for no canary either: nothing runs.
inline constexpr int kNoArm = -2;

// The process writes what it is at, so that a loss can be blamed on it. A stray kernel may have
// written there too: the parent believes nothing of it unchecked.
struct WorkerShared {
  int busy;         // 1 from the moment a request was read until its reply is written
  int current_arm;  // that is prepared or runs now, or kNoArm
  int steps;        // goes up whenever a part of a long request is done
  pid_t parent;     // with which the process ends
};

}  // namespace loratune
