// The descriptors that a worker process inherits, besides its standard ones.
#pragma once

namespace loratune {

inline constexpr int kWorkerReplyFd = 3;   // replies go here
inline constexpr int kWorkerSharedFd = 4;  // an int in shared memory: the arm that runs now

}  // namespace loratune
