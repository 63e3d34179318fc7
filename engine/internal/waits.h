// Waits for events that may fail. Where a command fails, PoCL 3.1 ends the process if a command of
// the queue behind it has an event that nobody holds. So whoever waits holds the events of what it
// enqueues until they have ended, one way or the other.
#pragma once

#include <span>

#include "engine/internal/opencl.h"

namespace loratune {

inline void CL_CALLBACK release_event(cl_event event, cl_int, void*) { clReleaseEvent(event); }

// Takes the event over. One that cannot be let go of is kept.
inline void hold_until_done(cl_event event) {
  require_success(clSetEventCallback(event, CL_COMPLETE, release_event, nullptr),
                  "clSetEventCallback");
}

// Makes the queue wait for the events, and gives the event of the wait's end, or holds it.
inline void wait_for(cl_command_queue queue, std::span<const cl_event> events, cl_event* done) {
  cl_event ended = nullptr;
  require_success(clEnqueueBarrierWithWaitList(queue, static_cast<cl_uint>(events.size()),
                                               events.data(), &ended),
                  "clEnqueueBarrierWithWaitList");
  if (done == nullptr) return hold_until_done(ended);
  *done = ended;
}

}  // namespace loratune
