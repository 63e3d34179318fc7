#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "dispatch/internal/printable.h"
#include "harness/adapter/modes.h"
#include "harness/base/adapter_source.h"
#include "harness/base/failure.h"

namespace loratune {
namespace {

using nlohmann::json;

// A path may hold any character that is no control character.
std::string shown(const std::string& path) { return printable(path, 1000); }

std::string elements_of(const LoraModule& module) {
  const std::string a(to_string(module.a.element));
  const std::string b(to_string(module.b.element));
  return a == b ? a : a + "+" + b;
}

json module_json(const LoraModule& module) {
  return {{"path", module.path},          {"in", module.in()},        {"out", module.out()},
          {"rank", module.rank()},        {"alpha", module.alpha},    {"scale", module.scale},
          {"dtype", elements_of(module)}, {"matched", module.matched}};
}

}  // namespace

int list_adapter_mode(const Options& options) {
  const Adapter adapter = open_adapter(options.adapter);
  if (options.json) {
    json out = {{"format", to_string(adapter.format)},
                {"modules", json::array()},
                {"notes", adapter.notes},
                {"skipped", adapter.skipped}};
    if (!adapter.architecture.empty()) out["architecture"] = adapter.architecture;
    for (const LoraModule& module : adapter.modules) out["modules"].push_back(module_json(module));
    std::printf("%s\n", out.dump(2, ' ', true, json::error_handler_t::replace).c_str());
    return kExitGood;
  }
  std::size_t width = 6;
  for (const LoraModule& module : adapter.modules) {
    width = std::max(width, shown(module.path).size());
  }
  std::printf("%-*s %14s %5s %8s %10s %-9s %-12s %s\n", static_cast<int>(width), "module",
              "in -> out", "rank", "alpha", "scale", "dtype", "format", "matched");
  for (const LoraModule& module : adapter.modules) {
    const std::string shape = std::to_string(module.in()) + " -> " + std::to_string(module.out());
    std::printf("%-*s %14s %5lld %8g %10g %-9s %-12s %s\n", static_cast<int>(width),
                shown(module.path).c_str(), shape.c_str(), static_cast<long long>(module.rank()),
                module.alpha, module.scale, elements_of(module).c_str(),
                std::string(to_string(adapter.format)).c_str(), module.matched ? "yes" : "no");
  }
  print_remarks(adapter);
  return kExitGood;
}

}  // namespace loratune
