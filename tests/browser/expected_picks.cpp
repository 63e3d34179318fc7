// Prints what a Dispatcher of this build picks out of a tuned file, for the test of the page's own
// answers: `expected_picks FILE MODE` reads problems' keys from its input, and prints for each, in
// a line of JSON, the variant and config, and whether the file or the built-in default answered.
// The device is the first of the file, and the file counts as made by this build's kernels.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "loratune/dispatch/dispatcher.h"

namespace loratune {
namespace {

DeviceInfo device_of(const TunedDevice& tuned) {
  DeviceInfo device;
  device.platform = tuned.platform;
  device.vendor = tuned.vendor;
  device.vendor_id = tuned.vendor_id;
  device.name = tuned.name;
  device.driver = tuned.driver;
  device.device_version = tuned.device_version;
  device.opencl_c = "1.2";
  device.extensions = tuned.extensions;
  device.type = DeviceType::cpu;
  device.native_kernels = true;
  device.compute_units = tuned.compute_units;
  device.usable_cpus = tuned.usable_cpus;
  device.preferred_multiple = 8;
  device.max_work_group_size = tuned.max_work_group_size;
  device.local_mem_bytes = tuned.local_mem_bytes;
  device.max_alloc_bytes = std::int64_t{1} << 40;
  return device;
}

int print_picks(const char* path, const char* mode_name) {
  ParsedTunedFile parsed = load_tuned_file(path);
  const auto mode = parse_mode(mode_name);
  if (!parsed.file || !mode) {
    std::fprintf(stderr, "%s %s\n", parsed.error.c_str(), mode_name);
    return 2;
  }
  TunedFile file = std::move(*parsed.file);
  for (auto& [name, kernel] : file.kernels) {
    if (const Variant* variant = find_variant(name)) {
      kernel = {std::string(variant->source_sha256), variant->revision};
    }
  }
  const DeviceInfo device = device_of(file.devices.begin()->second);
  const Dispatcher dispatcher(std::move(file), device);
  for (std::string key; std::getline(std::cin, key);) {
    std::string why;
    const auto problem = parse_problem(key, why);
    if (!problem) {
      std::fprintf(stderr, "%s: %s\n", key.c_str(), why.c_str());
      return 2;
    }
    const Choice choice = dispatcher.pick(*problem, *mode);
    nlohmann::json config = nlohmann::json::object();
    for (int i = 0; i < choice.config.size(); ++i) {
      const auto& parameters = choice.variant->space.parameters;
      config[std::string(parameters[static_cast<std::size_t>(i)].name)] = choice.config[i];
    }
    const nlohmann::json line = {{"key", key},
                                 {"variant", choice.variant->name},
                                 {"config", config},
                                 {"default", choice.shape_match == ShapeMatch::fallback}};
    std::printf("%s\n", line.dump().c_str());
  }
  return 0;
}

}  // namespace
}  // namespace loratune

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return loratune::print_picks(argv[1], argv[2]);
}
