// Ops through the C interface.
#include <algorithm>
#include <atomic>
#include <utility>

#include "capi/internal/alone.h"
#include "capi/internal/cl_boundary.h"
#include "capi/internal/problem.h"
#include "engine/internal/opencl.h"
#include "engine/internal/waits.h"
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

template <class T>
void check_context(const loratune_op& op, const T& with) {
  if (with.parts->engine->context() == op.parts->engine->context()) return;
  throw Refused(LORATUNE_INVALID_OPERANDS, "the weights, pool or route is of another context");
}

// What waits, and the event, of a run of no rows.
std::int32_t run_nothing(cl_command_queue queue, const loratune::Sync& sync) {
  if (!sync.waits.empty()) {
    loratune::wait_for(queue, sync.waits, sync.done);
  } else if (sync.done != nullptr) {
    require_success(clEnqueueMarkerWithWaitList(queue, 0, nullptr, sync.done),
                    "clEnqueueMarkerWithWaitList");
  }
  return LORATUNE_SUCCESS;
}

Operands operands_of(const loratune_call& call, const loratune::Problem& problem) {
  Operands operands;
  operands.x = call.x;
  operands.y = call.y;
  operands.m = call.m;
  operands.off_x = call.off_x;
  operands.ld_x = call.ld_x;
  operands.off_y = call.off_y;
  operands.ld_y = call.ld_y;
  operands.scale = call.scale;
  operands.scratch = call.scratch;
  operands.off_scratch = call.scratch_offset;
  if (call.slice_y == nullptr) return operands;
  for (int i = 0; i < slice_count(problem); ++i) {
    loratune::SliceOperands& slice = operands.slices[static_cast<unsigned>(i)];
    slice.y = call.slice_y[i];
    if (call.slice_off_y != nullptr) slice.off_y = call.slice_off_y[i];
    if (call.slice_ld_y != nullptr) slice.ld_y = call.slice_ld_y[i];
  }
  return operands;
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
    const Alone alone(to.busy);
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
    const Alone alone(to.busy);
    if (rows(m) == 0) return LORATUNE_SUCCESS;
    *bytes = static_cast<std::uint64_t>(executable_for(to, m).scratch_bytes());
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_forward(loratune_op* op, const loratune_call* call) {
  loratune_call given;
  const std::int32_t status = read(call, given);
  return cl_guarded(given.detail, [&]() -> std::int32_t {
    if (given.done != nullptr) *given.done = nullptr;
    accept(status, call, "call");  // here, so that what read() could copy tells the caller
    loratune_op& to = object(op, "op");
    check_queue(*to.parts->engine, given.queue);
    if (given.wait_count > 0) required(given.waits, "waits");
    rows(given.m);
    const loratune::Sync sync{{given.waits, given.wait_count}, given.done};
    const Alone alone(to.busy);
    if (given.m == 0) return run_nothing(given.queue, sync);
    const Operands operands = operands_of(given, to.forward->shape());
    std::string why;
    if (given.pool != nullptr) {
      if (given.weights != nullptr) {
        throw Refused(LORATUNE_INVALID_VALUE, "weights and a pool are both given");
      }
      const loratune_pool& pool = object(given.pool, "pool");
      const loratune_route& route = object(given.route, "route");
      check_context(to, pool);
      check_context(to, route);
      if (to.forward->executable(*pool.pool, *route.route, given.m, why) == nullptr) {
        throw Refused(LORATUNE_BUILD_FAILED, why);
      }
      why = to.forward->enqueue(given.queue, *pool.pool, *route.route, operands, sync);
    } else {
      const loratune_weights& weights = object(given.weights, "weights");
      check_context(to, weights);
      executable_for(to, given.m);
      why = to.forward->enqueue(given.queue, *weights.weights, operands, sync);
    }
    if (!why.empty()) throw Refused(LORATUNE_INVALID_OPERANDS, why);
    return LORATUNE_SUCCESS;
  });
}

}  // extern "C"
