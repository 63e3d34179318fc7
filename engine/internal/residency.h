// Plans that say needs_residency are correct only while all their work-groups are on the device at
// once: two such runs at a time could each hold a part of it, and wait for the rest for ever.
#pragma once

#include <memory>
#include <mutex>

#include "engine/internal/opencl.h"

namespace loratune {

// Lets such runs follow one another on a device, whatever queues and contexts they come on. Any
// number of threads may enter the same one.
class Residency {
 public:
  // The one of the device in this process.
  static std::shared_ptr<Residency> of(cl_device_id device);

  // Makes `queue` wait for the last such run where that was on another queue: on the device, or on
  // the host where the queues' contexts differ. A queue that fails is not waited for: it runs
  // nothing more. The run is to be enqueued before the lock is given back. Throws OpenclError.
  [[nodiscard]] std::unique_lock<std::mutex> enter(cl_command_queue queue);

  // Waits for the last such run where that was in the context, and lets go of its queue.
  void leave(cl_context context) noexcept;

 private:
  std::mutex mutex_;
  Handle<cl_command_queue> last_;
};

}  // namespace loratune
