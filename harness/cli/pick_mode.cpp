#include <cstdio>
#include <nlohmann/json.hpp>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {

namespace {

// The word behind `name` in an explanation, which tells more cases apart than a Choice does.
std::string word_after(const std::string& explanation, const std::string& name) {
  const std::size_t at = explanation.find("\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 3;
  return explanation.substr(begin, explanation.find_first_of(",\n", begin) - begin);
}

}  // namespace

int pick_mode(const Options& options) {
  std::string why;
  const auto problem = parse_problem(options.pick_key, why);
  if (!problem) throw Failure(kExitUsage, "--pick: " + printable(why, 300));
  DeviceInfo device;
  // Without a device the answer is still what a runtime there would get: matches `none`. Whoever
  // names a device wants the answer for that one.
  try {
    device = select_device(options.device).info;
  } catch (const Failure& failure) {
    if (failure.code() != kExitNoDevice || !options.device.empty()) throw;
    std::fprintf(stderr, "%s; answering for a device that matches none\n", failure.what());
    device.max_work_group_size = 64;
    device.local_mem_bytes = 16 * 1024;
    device.max_alloc_bytes = std::int64_t{1} << 30;
  }
  std::optional<Dispatcher> dispatcher;
  if (options.tuned.empty()) {
    dispatcher.emplace(device);
  } else {
    Dispatcher::Loaded loaded = Dispatcher::load(options.tuned, device);
    if (!loaded.dispatcher) throw Failure(kExitUsage, loaded.error);
    dispatcher = std::move(loaded.dispatcher);
  }
  const Choice choice = dispatcher->pick(*problem, options.mode);
  if (choice.variant == nullptr) {
    throw Failure(kExitUsage, "--pick: no variant of this build takes " + to_string(*problem));
  }
  const std::string explanation = dispatcher->explain(*problem, options.mode);
  if (options.json) {
    nlohmann::json config = nlohmann::json::object();
    for (int i = 0; i < choice.config.size(); ++i) {
      config[std::string(choice.variant->space.parameters[static_cast<std::size_t>(i)].name)] =
          choice.config[i];
    }
    const nlohmann::json out = {{"problem", to_string(*problem)},
                                {"variant", choice.variant->name},
                                {"config", config},
                                {"device_match", word_after(explanation, "device match")},
                                {"shape_match", word_after(explanation, "shape match")},
                                {"explanation", explanation}};
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("%s %s\n%s", std::string(choice.variant->name).c_str(),
                to_string(choice.variant->space, choice.config).c_str(), explanation.c_str());
  }
  return kExitGood;
}

}  // namespace loratune
