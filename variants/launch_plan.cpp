#include "loratune/variants/launch_plan.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace loratune {
namespace {

constexpr std::array<std::string_view, 4> kAllowedFlags = {"-cl-std=CL1.2", "-cl-std=CL2.0",
                                                           "-cl-std=CL3.0", "-cl-mad-enable"};

bool is_identifier(std::string_view name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  constexpr std::string_view kRest = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return !name.empty() && name.size() <= 64 && kLetters.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(kRest) == std::string_view::npos;
}

}  // namespace

std::string build_options(const LaunchPlan& plan) {
  std::string options;
  for (const auto& [name, value] : plan.defines) {
    if (!is_identifier(name)) throw std::invalid_argument("plan: '" + name + "' is no macro name");
    options += "-D" + name + "=" + std::to_string(value) + " ";
  }
  for (const std::string& flag : plan.flags) {
    if (std::find(kAllowedFlags.begin(), kAllowedFlags.end(), flag) == kAllowedFlags.end()) {
      throw std::invalid_argument("plan: flag '" + flag + "' is not allowed");
    }
    options += flag + " ";
  }
  if (!options.empty()) options.pop_back();
  return options;
}

bool joins_weights(const LaunchPlan& plan) {
  return std::any_of(plan.launches.begin(), plan.launches.end(), [](const Launch& launch) {
    return std::any_of(launch.args.begin(), launch.args.end(),
                       [](const Arg& arg) { return arg.role == Role::weights; });
  });
}

std::string program_key(const LaunchPlan& plan) { return build_options(plan) + '\n' + plan.source; }

}  // namespace loratune
