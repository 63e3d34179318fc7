// Products on the host through the C interface.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "capi/internal/alone.h"
#include "capi/internal/boundary.h"
#include "capi/internal/problem.h"
#include "dispatch/internal/byte_rows.h"
#include "host/internal/host_state.h"
#include "loratune/host/forward_host.h"

struct loratune_host_weights {
  static constexpr std::uint64_t kTag = 0x6c6f72616877ULL;
  std::uint64_t tag = kTag;
  std::unique_ptr<loratune::HostWeights> weights;
};

struct loratune_host_session {
  static constexpr std::uint64_t kTag = 0x6c6f72616873ULL;
  std::uint64_t tag = kTag;
  std::atomic<bool> busy = false;
  loratune::HostSession session;
};

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

// Whether m rows of so many elements at a pitch stand in the bytes. Sums are not formed before it
// is known that they are no larger.
void check_rows(const char* name, const void* data, std::size_t bytes, std::int64_t m,
                std::int64_t row, std::int64_t pitch, int element) {
  required(data, name);
  const auto size = static_cast<std::int64_t>(bytes / static_cast<std::size_t>(element));
  const bool fits = pitch >= row && row <= size && (m == 1 || pitch <= (size - row) / (m - 1));
  if (fits) return;
  throw Refused(LORATUNE_INVALID_OPERANDS,
                std::string(name) + ": " + std::to_string(m) + " rows of " + std::to_string(row) +
                    " elements at a pitch of " + std::to_string(pitch) + " do not fit into " +
                    std::to_string(bytes) + " bytes");
}

std::int64_t address(const void* data) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(data));
}

}  // namespace

extern "C" {

std::int32_t loratune_host_weights_create(const loratune_weights_source* source,
                                          loratune_host_weights** weights, loratune_text* detail) {
  return guarded(detail, [&] {
    *required(weights, "weights") = nullptr;
    const loratune_weights_source given = taken(source, "source");
    loratune::HostWeights::Packed packed =
        loratune::HostWeights::pack(shape_of(given), given.a, given.b);
    if (!packed.weights) throw Refused(LORATUNE_OUT_OF_MEMORY, packed.why);
    auto handle = std::make_unique<loratune_host_weights>();
    handle->weights = std::move(packed.weights);
    *weights = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_host_weights_destroy(loratune_host_weights* weights) { destroy(weights); }

std::int32_t loratune_host_session_create(std::int32_t threads, loratune_host_session** session,
                                          loratune_text* detail) {
  return guarded(detail, [&] {
    *required(session, "session") = nullptr;
    if (threads < 0 || threads > loratune::kMostHostThreads) {
      throw Refused(LORATUNE_INVALID_VALUE, "threads = " + std::to_string(threads) +
                                                " is outside 0.." +
                                                std::to_string(loratune::kMostHostThreads));
    }
    auto handle = std::make_unique<loratune_host_session>();
    handle->session = loratune::HostSession(threads == 0 ? 1 : threads);
    *session = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_host_session_destroy(loratune_host_session* session) { destroy(session); }

std::int32_t loratune_forward_host(loratune_host_session* session, const loratune_host_call* call,
                                   loratune_text* detail) {
  return guarded(detail, [&] {
    const loratune_host_call given = taken(call, "call");
    loratune_host_session& with = object(session, "session");
    const loratune::HostWeights& weights = *object(given.weights, "call.weights").weights;
    const loratune::Problem problem = asked(given.problem).problem;
    const Alone alone(with.busy);
    const std::string declined = loratune::host::declined(problem);
    if (!declined.empty()) throw Refused(LORATUNE_UNSUPPORTED, declined);
    if (problem.m == 0) return LORATUNE_SUCCESS;
    const int element = element_bytes(problem.dtype);
    const std::int64_t ld_x = given.ld_x == 0 ? problem.k : given.ld_x;
    const std::int64_t ld_y = given.ld_y == 0 ? problem.n : given.ld_y;
    check_rows("x", given.x, given.x_bytes, problem.m, problem.k, ld_x, element);
    check_rows("y", given.y, given.y_bytes, problem.m, problem.n, ld_y, element);
    if (share_bytes(loratune::byte_rows(address(given.x), element, problem.k, ld_x, problem.m),
                    loratune::byte_rows(address(given.y), element, problem.n, ld_y, problem.m))) {
      throw Refused(LORATUNE_INVALID_OPERANDS, "x and y overlap");
    }
    const loratune::HostOperands operands = {given.x, given.y, ld_x, ld_y, given.scale};
    const std::string why = forward_host(problem, weights, operands, with.session);
    // forward_host() says in words alone that there is no memory.
    if (why == "no memory") throw Refused(LORATUNE_OUT_OF_MEMORY, why);
    if (!why.empty()) throw Refused(LORATUNE_INVALID_OPERANDS, why);
    return LORATUNE_SUCCESS;
  });
}

const char* loratune_host_instruction_set(void) {
  static const std::string kName(loratune::host_instruction_set());
  return kName.c_str();
}

}  // extern "C"
