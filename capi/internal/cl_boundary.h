// What the functions with OpenCL share.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "capi/internal/boundary.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "loratune/engine/pool.h"
#include "loratune/engine/route.h"
#include "loratune/layers/merge.h"
#include "loratune/loratune_cl.h"

namespace loratune::capi {

// status_of_exception() that knows OpenCL's errors too: their code is the status.
std::int32_t status_of_cl_exception(loratune_text* detail) noexcept;

template <class Body>
std::int32_t cl_guarded(loratune_text* detail, Body body) noexcept {
  return guarded(detail, body, status_of_cl_exception);
}

// The modules of a shape as the caller gives them, each as long as it says. Throws Refused.
std::vector<Factors> factors_of(const Problem& shape, const loratune_module_source* const* modules,
                                std::size_t count);

// Throws Refused for a queue of another context or device than the engine's, whose commands the
// driver would refuse after half of the work, or abort at; and where `in_order`, for one out of
// order.
enum class QueueOrder : std::uint8_t { any, in_order };
cl_command_queue check_queue(const Engine& engine, cl_command_queue queue,
                             QueueOrder order = QueueOrder::in_order);

// What an engine's objects keep a share in.
struct EngineParts {
  std::shared_ptr<const Dispatcher> dispatcher;
  std::unique_ptr<Engine> engine;
  std::mutex merging;            // held by who uses `merge`
  std::unique_ptr<Merge> merge;  // made by the first merge
};

}  // namespace loratune::capi

struct loratune_engine {
  static constexpr std::uint64_t kTag = 0x6c6f7261656e67ULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
};

struct loratune_pool {
  static constexpr std::uint64_t kTag = 0x6c6f7261706fULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
  std::unique_ptr<loratune::Pool> pool;
};

struct loratune_route {
  static constexpr std::uint64_t kTag = 0x6c6f7261726fULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
  std::unique_ptr<loratune::Route> route;
};

struct loratune_weights {
  static constexpr std::uint64_t kTag = 0x6c6f7261776569ULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
  loratune::Problem shape;
  bool modules = false;  // made of modules
  std::unique_ptr<loratune::Weights> weights;
};
