// Ops through the C interface.
#include <algorithm>
#include <atomic>
#include <utility>

#include "capi/internal/cl_boundary.h"
#include "capi/internal/problem.h"
#include "engine/internal/opencl.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/engine/forward.h"

struct loratune_op {
  static constexpr std::uint64_t kTag = 0x6c6f72616f70ULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
  std::unique_ptr<loratune::Forward> forward;
  std::atomic<bool> busy = false;
};

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

using loratune::Executable;
using loratune::Operands;
using loratune::require_success;

// The one call at a time that may use an op.
class Alone {
 public:
  explicit Alone(loratune_op& op) : op_(op) {
    if (op.busy.exchange(true, std::memory_order_acquire)) {
      throw Refused(LORATUNE_BUSY, "another thread is using the op");
    }
  }
  ~Alone() { op_.busy.store(false, std::memory_order_release); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  loratune_op& op_;
};

std::int64_t rows(std::int64_t m) {
  if (m >= 0 && m <= loratune::kMaxExtent) return m;
  throw Refused(LORATUNE_INVALID_VALUE, "m = " + std::to_string(m) + " is outside 0..2147483647");
}

// The executable for at least one row.
Executable& executable_for(loratune_op& op, std::int64_t m) {
  std::string why;
  Executable* const found = op.forward->executable(m, why);
  if (found == nullptr) throw Refused(LORATUNE_BUILD_FAILED, why);
  return *found;
}

void check_queue(cl_command_queue queue) {
  cl_command_queue_properties properties = 0;
  require_success(
      clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, nullptr),
      "clGetCommandQueueInfo");
  if ((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0) {
    throw Refused(LORATUNE_UNSUPPORTED, "queue: the launches of a run need an in-order queue");
  }
}

}  // namespace

extern "C" {

std::int32_t loratune_op_create(loratune_engine* engine, const loratune_problem* problem,
                                loratune_op** op, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(op, "op") = nullptr;
    const auto [shape, mode] = asked(problem);
    auto handle = std::make_unique<loratune_op>();
    handle->parts = object(engine, "engine").parts;
    if (default_choice(shape, handle->parts->engine->info(), mode).variant == nullptr) {
      throw Refused(LORATUNE_UNSUPPORTED,
                    "there is no kernel for " + to_string(shape) + " on the device");
    }
    handle->forward = std::make_unique<loratune::Forward>(*handle->parts->engine,
                                                          *handle->parts->dispatcher, shape, mode);
    if (shape.m > 0) executable_for(*handle, shape.m);
    *op = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_op_destroy(loratune_op* op) { destroy(op); }

std::int32_t loratune_op_warmup(loratune_op* op, const std::int64_t* m, std::size_t count,
                                loratune_text* detail) {
  return cl_guarded(detail, [&] {
    loratune_op& to = object(op, "op");
    if (count > 0) required(m, "m");
    const Alone alone(to);
    for (std::size_t i = 0; i < count; ++i) {
      if (rows(m[i]) > 0) executable_for(to, m[i]);
    }
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_op_scratch_bytes(loratune_op* op, std::int64_t m, std::uint64_t* bytes,
                                       loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(bytes, "bytes") = 0;
    loratune_op& to = object(op, "op");
    const Alone alone(to);
    if (rows(m) == 0) return LORATUNE_SUCCESS;
    *bytes = static_cast<std::uint64_t>(executable_for(to, m).scratch_bytes());
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_forward(loratune_op* op, const loratune_call* call) {
  loratune_call given;
  const std::int32_t status = read(call, given);
  if (status != LORATUNE_SUCCESS) return status;
  return cl_guarded(given.detail, [&] {
    if (given.done != nullptr) *given.done = nullptr;
    loratune_op& to = object(op, "op");
    const loratune_weights& weights = object(given.weights, "weights");
    required(given.queue, "queue");
    if (given.wait_count > 0) required(given.waits, "waits");
    rows(given.m);
    check_queue(given.queue);
    if (weights.parts->engine->context() != to.parts->engine->context()) {
      throw Refused(LORATUNE_INVALID_OPERANDS, "the weights are of another context");
    }
    const Alone alone(to);
    const loratune::Sync sync{{given.waits, given.wait_count}, given.done};
    Operands operands;
    operands.x = given.x;
    operands.y = given.y;
    operands.m = given.m;
    operands.off_x = given.off_x;
    operands.ld_x = given.ld_x;
    operands.off_y = given.off_y;
    operands.ld_y = given.ld_y;
    operands.scale = given.scale;
    operands.scratch = given.scratch;
    operands.off_scratch = given.scratch_offset;
    // Any kernel will do for no rows.
    Executable& executable = executable_for(to, std::max<std::int64_t>(given.m, 1));
    try {
      weights.weights->set(given.queue, executable.plan(), operands);
      executable.enqueue(given.queue, operands, sync);
    } catch (const std::invalid_argument& error) {
      throw Refused(LORATUNE_INVALID_OPERANDS, error.what());
    }
    return LORATUNE_SUCCESS;
  });
}

}  // extern "C"
