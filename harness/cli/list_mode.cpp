#include <cstdio>
#include <nlohmann/json.hpp>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/find_devices.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"

namespace loratune {
namespace {

using nlohmann::json;

json device_json(const DeviceInfo& info) {
  return {{"platform", info.platform},
          {"name", info.name},
          {"vendor", info.vendor},
          {"driver", info.driver},
          {"opencl_c", info.opencl_c},
          {"compute_units", info.compute_units},
          {"max_work_group_size", info.max_work_group_size},
          {"local_mem_bytes", info.local_mem_bytes}};
}

json variant_json(const Variant& variant) {
  json parameters = json::object();
  for (const Parameter& parameter : variant.space.parameters) {
    parameters[std::string(parameter.name)] =
        std::vector<int>(parameter.values.begin(), parameter.values.end());
  }
  return {{"name", variant.name},
          {"revision", variant.revision},
          {"source_sha256", variant.source_sha256},
          {"needs", variant.needs},
          {"axes", names_of(variant.axes)},
          {"points", product_size(variant.space)},
          {"parameters", parameters}};
}

}  // namespace

int list_mode(const Options& options) {
  std::vector<std::string> complaints;
  const std::vector<Device> devices = find_devices(complaints);
  const std::vector<std::size_t> shown = matching_devices(options.device, devices, complaints);
  const std::vector<Problem> problems = select_problems(options);
  const std::vector<const Variant*> chosen = select_variants(options);
  if (options.json) {
    json out = {{"devices", json::array()},
                {"passed_over", complaints},
                {"variants", json::array()},
                {"problems", json::array()}};
    for (const std::size_t i : shown) out["devices"].push_back(device_json(devices[i].info));
    for (const Variant* variant : chosen) out["variants"].push_back(variant_json(*variant));
    for (const Problem& problem : problems) out["problems"].push_back(to_string(problem));
    std::printf("%s\n", out.dump(2).c_str());
    return kExitGood;
  }
  std::printf("Devices\n");
  if (devices.empty()) std::printf("  none\n");
  for (const std::size_t i : shown) {
    const DeviceInfo& info = devices[i].info;
    std::printf(
        "  %zu  %s, driver %s, OpenCL C %s, %d compute units, work-group %lld, local %lld KiB\n", i,
        printable_line(display_name(info)).c_str(), printable_line(info.driver).c_str(),
        printable_line(info.opencl_c).c_str(), info.compute_units,
        static_cast<long long>(info.max_work_group_size),
        static_cast<long long>(info.local_mem_bytes / 1024));
  }
  for (const std::string& complaint : complaints) {
    std::printf("  -  %s\n", printable_line(complaint).c_str());
  }
  std::printf("\nVariants\n");
  for (const Variant* variant : chosen) {
    std::printf("  %s: %lld points before constraints\n", std::string(variant->name).c_str(),
                static_cast<long long>(product_size(variant->space)));
    if (!variant->needs.empty()) {
      std::printf("    needs %s\n", std::string(variant->needs).c_str());
    }
    std::string axes;
    for (const std::string_view name : names_of(variant->axes)) axes += " " + std::string(name);
    if (!axes.empty()) std::printf("    axes%s\n", axes.c_str());
    for (const Parameter& parameter : variant->space.parameters) {
      std::printf("    %-12s", std::string(parameter.name).c_str());
      for (const int value : parameter.values) std::printf(" %d", value);
      std::printf("\n");
    }
  }
  std::printf("\nProblems (%zu)\n", problems.size());
  for (const Problem& problem : problems) std::printf("  %s\n", to_string(problem).c_str());
  return kExitGood;
}

}  // namespace loratune
