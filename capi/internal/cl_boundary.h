// What the functions with OpenCL share.
#pragma once

#include <cstdint>
#include <memory>

#include "capi/internal/boundary.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/engine/engine.h"
#include "loratune/loratune_cl.h"

namespace loratune::capi {

// status_of_exception() that knows OpenCL's errors too: their code is the status.
std::int32_t status_of_cl_exception(loratune_text* detail) noexcept;

template <class Body>
std::int32_t cl_guarded(loratune_text* detail, Body body) noexcept {
  return guarded(detail, body, status_of_cl_exception);
}

// What an engine's objects keep a share in.
struct EngineParts {
  std::shared_ptr<const Dispatcher> dispatcher;
  std::unique_ptr<Engine> engine;
};

}  // namespace loratune::capi

struct loratune_engine {
  static constexpr std::uint64_t kTag = 0x6c6f7261656e67ULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
};

struct loratune_weights {
  static constexpr std::uint64_t kTag = 0x6c6f7261776569ULL;
  std::uint64_t tag = kTag;
  std::shared_ptr<loratune::capi::EngineParts> parts;
  loratune::Problem shape;
  std::unique_ptr<loratune::Weights> weights;
};
