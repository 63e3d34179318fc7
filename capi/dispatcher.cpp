#include "capi/internal/boundary.h"
#include "capi/internal/dispatcher_handle.h"
#include "capi/internal/problem.h"
#include "dispatch/internal/printable.h"
#include "loratune/dispatch/device_text.h"
#include "loratune/dispatch/plan_text.h"

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

using loratune::Choice;
using loratune::DeviceInfo;
using loratune::Dispatcher;

Dispatcher loaded(const loratune_dispatcher_options& options, const DeviceInfo& device) {
  if (options.path == nullptr && options.bytes == nullptr) return Dispatcher(device);
  const auto* bytes = static_cast<const char*>(options.bytes);
  Dispatcher::Loaded loaded = options.path != nullptr
                                  ? Dispatcher::load(options.path, device)
                                  : Dispatcher::load_bytes({bytes, options.byte_count}, device);
  if (!loaded.dispatcher) throw Refused(LORATUNE_INVALID_FILE, loaded.error);
  return std::move(*loaded.dispatcher);
}

DeviceInfo device_of(const char* text) {
  required(text, "device");
  loratune::ParsedDevice parsed =
      loratune::parse_device({text, strnlen(text, loratune::kMaxDeviceText + 1)});
  if (!parsed.device) throw Refused(LORATUNE_INVALID_VALUE, "device: " + parsed.error);
  return std::move(*parsed.device);
}

// Names of variants come from a table of literals: they end with a zero.
loratune_choice to_c(const Choice& choice) {
  if (choice.variant == nullptr) {
    throw Refused(LORATUNE_UNSUPPORTED, "there is no kernel for the problem on the device");
  }
  loratune_choice c{};
  c.size = sizeof c;
  c.device_match = static_cast<std::int32_t>(choice.device_match);
  c.shape_match = static_cast<std::int32_t>(choice.shape_match);
  c.variant = choice.variant->name.data();
  c.parameter_count = choice.config.size();
  static_assert(loratune::kMaxParameters <= sizeof c.parameters / sizeof c.parameters[0]);
  for (int i = 0; i < choice.config.size(); ++i) c.parameters[i] = choice.config[i];
  return c;
}

static_assert(static_cast<int>(loratune::DeviceMatch::none) == LORATUNE_DEVICE_NONE);
static_assert(static_cast<int>(loratune::DeviceMatch::other_driver) ==
              LORATUNE_DEVICE_OTHER_DRIVER);
static_assert(static_cast<int>(loratune::ShapeMatch::fallback) == LORATUNE_SHAPE_FALLBACK);
static_assert(static_cast<int>(loratune::ShapeMatch::rule) == LORATUNE_SHAPE_RULE);
static_assert(static_cast<int>(loratune::Mode::batch_invariant) == LORATUNE_MODE_BATCH_INVARIANT);

}  // namespace

extern "C" {

std::int32_t loratune_dispatcher_create(const loratune_dispatcher_options* options,
                                        loratune_dispatcher** dispatcher, loratune_text* detail) {
  return guarded(detail, [&] {
    *required(dispatcher, "dispatcher") = nullptr;
    const loratune_dispatcher_options given = taken(options, "options");
    if (given.path != nullptr && given.bytes != nullptr) {
      throw Refused(LORATUNE_INVALID_VALUE, "options: path and bytes are both given");
    }
    if (given.bytes == nullptr && given.byte_count != 0) {
      throw Refused(LORATUNE_INVALID_VALUE, "options: byte_count without bytes");
    }
    auto handle = std::make_unique<loratune_dispatcher>();
    handle->dispatcher = std::make_shared<const Dispatcher>(loaded(given, device_of(given.device)));
    *dispatcher = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_dispatcher_destroy(loratune_dispatcher* dispatcher) { destroy(dispatcher); }

std::int32_t loratune_pick(const loratune_dispatcher* dispatcher, const loratune_problem* problem,
                           loratune_choice* choice) {
  return guarded(nullptr, [&] {
    const auto [wanted, mode] = asked(problem);
    return give(to_c(object(dispatcher, "dispatcher").dispatcher->pick(wanted, mode)), choice,
                "choice");
  });
}

std::int32_t loratune_plan(const loratune_dispatcher* dispatcher, const loratune_problem* problem,
                           loratune_text* json, loratune_text* detail) {
  return guarded(detail, [&] {
    const Dispatcher& from = *object(dispatcher, "dispatcher").dispatcher;
    const auto [wanted, mode] = asked(problem);
    to_c(from.pick(wanted, mode));  // refuses what there is no kernel for
    for (const Choice& choice : from.choices(wanted, mode)) {
      if (is_native(choice.variant->plan(wanted, choice.config, from.device()))) continue;
      return answer(json, plan_text(wanted, mode, choice, from.device()), "json");
    }
    throw Refused(LORATUNE_UNSUPPORTED, "only the engine can run the problem");
  });
}

std::int32_t loratune_explain(const loratune_dispatcher* dispatcher,
                              const loratune_problem* problem, loratune_text* text,
                              loratune_text* detail) {
  return guarded(detail, [&] {
    const Dispatcher& from = *object(dispatcher, "dispatcher").dispatcher;
    const auto [wanted, mode] = asked(problem);
    return answer(text, from.explain(wanted, mode), "text");
  });
}

std::int32_t loratune_misses(const loratune_dispatcher* dispatcher, loratune_text* keys) {
  return guarded(nullptr, [&] {
    std::string lines;
    for (const loratune::Problem& problem : object(dispatcher, "dispatcher").dispatcher->misses()) {
      lines += to_string(problem) + "\n";
    }
    return answer(keys, lines, "keys");
  });
}

}  // extern "C"
