// Engines through the C interface.
#include <cstdlib>

#include "capi/internal/cl_boundary.h"
#include "capi/internal/dispatcher_handle.h"
#include "dispatch/internal/printable.h"
#include "engine/internal/opencl.h"
#include "loratune/dispatch/device_match.h"
#include "loratune/dispatch/device_text.h"

namespace loratune::capi {

std::int32_t status_of_cl_exception(loratune_text* detail) noexcept {
  try {
    throw;
  } catch (const OpenclError& error) {
    put(detail, error.what());
    return error.code();
  } catch (...) {
    return status_of_exception(detail);
  }
}

cl_command_queue check_queue(const Engine& engine, cl_command_queue queue, QueueOrder order) {
  required(queue, "queue");
  cl_context context = nullptr;
  cl_device_id device = nullptr;
  cl_command_queue_properties properties = 0;
  const auto ask = [&](cl_command_queue_info what, std::size_t bytes, void* answer) {
    require_success(clGetCommandQueueInfo(queue, what, bytes, answer, nullptr),
                    "clGetCommandQueueInfo");
  };
  ask(CL_QUEUE_CONTEXT, sizeof(cl_context), static_cast<void*>(&context));
  ask(CL_QUEUE_DEVICE, sizeof(cl_device_id), static_cast<void*>(&device));
  ask(CL_QUEUE_PROPERTIES, sizeof properties, &properties);
  if (context != engine.context() || device != engine.device()) {
    throw Refused(LORATUNE_INVALID_OPERANDS,
                  "queue: it is of another context or device than the engine");
  }
  if (order == QueueOrder::in_order && (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0) {
    throw Refused(LORATUNE_UNSUPPORTED, "queue: it takes an in-order queue");
  }
  return queue;
}

}  // namespace loratune::capi

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

// The dispatcher of the options, or the built-in defaults. One that was told of a device of another
// kind would answer for that one, so no record of its file would ever be of use.
std::shared_ptr<const loratune::Dispatcher> dispatcher_for(const loratune::DeviceInfo& device,
                                                           const loratune_dispatcher* given) {
  if (given == nullptr) return std::make_shared<const loratune::Dispatcher>(device);
  const auto& dispatcher = object(given, "options.dispatcher").dispatcher;
  const loratune::DeviceInfo& told = dispatcher->device();
  if (told != device &&
      match_device(loratune::tuned_device(told), loratune::tuned_device(device)) ==
          loratune::DeviceMatch::none) {
    throw Refused(LORATUNE_INVALID_VALUE, "options.dispatcher: it is for the device " +
                                              loratune::printable_line(told.name) +
                                              ", the engine's is " +
                                              loratune::printable_line(device.name));
  }
  return dispatcher;
}

}  // namespace

extern "C" {

std::int32_t loratune_device_json(cl_device_id device, loratune_text* json, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    return answer(json, device_text(loratune::query_device(required(device, "device"))), "json");
  });
}

std::int32_t loratune_engine_create(const loratune_engine_options* options,
                                    loratune_engine** engine, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(engine, "engine") = nullptr;
    const loratune_engine_options given = taken(options, "options");
    if (given.caller_scratch != 0 && given.caller_scratch != 1) {
      throw Refused(LORATUNE_INVALID_VALUE, "caller_scratch is neither 0 nor 1");
    }
    loratune::EngineOptions made_with;
    made_with.caller_scratch = given.caller_scratch == 1;
    if (given.cache_folder != nullptr) made_with.cache_folder = given.cache_folder;
    if (given.cache_bytes != 0) made_with.cache_bytes = given.cache_bytes;
    auto parts = std::make_shared<EngineParts>();
    parts->engine =
        std::make_unique<loratune::Engine>(required(given.context, "options.context"),
                                           required(given.device, "options.device"), made_with);
    parts->dispatcher = dispatcher_for(parts->engine->info(), given.dispatcher);
    auto handle = std::make_unique<loratune_engine>();
    handle->parts = std::move(parts);
    *engine = handle.release();
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_engine_options_from_env(loratune_engine_options* options,
                                              loratune_text* folder, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    loratune_engine_options given = taken(options, "options");
    required(folder, "folder");
    loratune::EngineOptions unset;
    unset.cache_bytes = given.cache_bytes;
    const loratune::EngineOptions said = loratune::options_from_env(unset);
    const std::string name = said.cache_folder.string();
    const std::int32_t status = answer(folder, name, "folder");
    if (status != LORATUNE_SUCCESS) return status;
    if (!name.empty()) given.cache_folder = folder->data;
    given.cache_bytes = said.cache_bytes;
    return give_whole(given, options, "options");
  });
}

void loratune_engine_destroy(loratune_engine* engine) { destroy(engine); }

}  // extern "C"
