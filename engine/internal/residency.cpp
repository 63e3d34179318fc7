#include "engine/internal/residency.h"

#include <map>

namespace loratune {
namespace {

// The event of the end of what is on a queue, for another queue to wait for. For a queue of another
// context, which cannot, the host waits, and there is none.
Handle<cl_event> end_of(cl_command_queue queue, cl_context context) {
  if (context_of(queue) != context) {
    loratune::finish(queue);
    return nullptr;
  }
  cl_event done = nullptr;
  require_success(clEnqueueMarkerWithWaitList(queue, 0, nullptr, &done),
                  "clEnqueueMarkerWithWaitList");
  Handle<cl_event> owned(done);
  flush(queue);
  return owned;
}

// Waits for a queue, where it has not failed: one that has runs nothing more.
void finish_unless_failed(cl_command_queue queue) {
  try {
    loratune::finish(queue);
  } catch (const OpenclError& error) {
    if (error.code() == CL_OUT_OF_HOST_MEMORY) throw;  // of the call, and nothing of the queue
  }
}

}  // namespace

std::shared_ptr<Residency> Residency::of(cl_device_id device) {
  static std::mutex mutex;
  static std::map<cl_device_id, std::weak_ptr<Residency>> all;
  const std::lock_guard<std::mutex> lock(mutex);
  std::weak_ptr<Residency>& known = all[device];
  std::shared_ptr<Residency> residency = known.lock();
  if (!residency) {
    residency = std::make_shared<Residency>();
    known = residency;
  }
  return residency;
}

std::unique_lock<std::mutex> Residency::enter(cl_command_queue queue) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (last_.get() == queue) return lock;
  const cl_context context = context_of(queue);
  Handle<cl_event> end;
  try {
    if (last_) end = end_of(last_.get(), context);
  } catch (const OpenclError&) {
    finish_unless_failed(last_.get());
  }
  if (end) {
    cl_event done = end.get();
    require_success(clEnqueueBarrierWithWaitList(queue, 1, &done, nullptr),
                    "clEnqueueBarrierWithWaitList");
  }
  last_ = retain(queue);
  return lock;
}

void Residency::leave(cl_context context) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!last_) return;
  try {
    if (context_of(last_.get()) != context) return;
    loratune::finish(last_.get());
  } catch (const OpenclError&) {
    // A queue that fails runs nothing more.
  }
  last_.reset();
}

}  // namespace loratune
