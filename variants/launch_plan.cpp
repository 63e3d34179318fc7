#include "loratune/variants/launch_plan.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

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

std::string options_reason(const LaunchPlan& plan) {
  for (const auto& [name, value] : plan.defines) {
    if (!is_identifier(name)) return "'" + name + "' is no macro name";
  }
  for (const std::string& flag : plan.flags) {
    if (std::find(kAllowedFlags.begin(), kAllowedFlags.end(), flag) == kAllowedFlags.end()) {
      return "flag '" + flag + "' is not allowed";
    }
  }
  return {};
}

std::string launch_reason(const Launch& launch, std::size_t scratch_buffers) {
  constexpr std::uint64_t kMostItems = std::uint64_t{1} << 20U;  // of a work-group, in a dimension
  constexpr std::int64_t kMostLocal = std::int64_t{1} << 32U;
  if (launch.dims < 1 || launch.dims > 3) {
    return launch.kernel + " has " + std::to_string(launch.dims) + " dimensions";
  }
  for (std::size_t i = 0; i < launch.local.size(); ++i) {
    if (launch.local[i] == 0 || launch.local[i] > kMostItems || launch.global[i] == 0 ||
        launch.global[i] % launch.local[i] != 0) {
      return launch.kernel + " is launched with " + std::to_string(launch.global[i]) +
             " work-items in work-groups of " + std::to_string(launch.local[i]);
    }
  }
  for (const Arg& arg : launch.args) {
    if (arg.role == Role::scratch && std::cmp_greater_equal(arg.value, scratch_buffers)) {
      return launch.kernel + " takes scratch buffer " + std::to_string(arg.value) + " of " +
             std::to_string(scratch_buffers);
    }
    if (arg.value < 0 && (arg.role == Role::scratch || arg.role == Role::local)) {
      return launch.kernel + " takes a buffer of number or size " + std::to_string(arg.value);
    }
    const bool counts = arg.role == Role::blocks || arg.role == Role::block_count;
    const std::int64_t rows = launch.row_groups.rows;  // 0: the kernel asks how many blocks it has
    if (counts && (arg.value < 1 || arg.value > kMostRouteRows ||
                   (arg.value & (arg.value - 1)) != 0 || (rows != 0 && arg.value != rows))) {
      return launch.kernel + " takes blocks of " + std::to_string(arg.value) + " rows of a route";
    }
    if (arg.role == Role::local && arg.value > kMostLocal) {
      return launch.kernel + " takes " + std::to_string(arg.value) + " bytes of local memory";
    }
  }
  return {};
}

}  // namespace

std::string invalid_reason(const LaunchPlan& plan) {
  constexpr int kMostTile = 1 << 16;
  std::string why = options_reason(plan);
  for (const Packing& packing : {plan.a, plan.b}) {
    if (why.empty() && (packing.tile < 1 || packing.tile > kMostTile)) {
      why = "a tile of " + std::to_string(packing.tile) + " rows or columns";
    }
  }
  for (const Launch& launch : plan.launches) {
    if (why.empty()) why = launch_reason(launch, plan.scratch.size());
  }
  if (why.empty() && !plan.parts.empty() && !plan.launches.empty()) {
    why = "it has parts and launches of its own";
  }
  for (const LaunchPlan& part : plan.parts) {
    if (why.empty()) why = part.parts.empty() ? invalid_reason(part) : "a part has parts";
  }
  return why;
}

std::string build_options(const LaunchPlan& plan) {
  const std::string why = options_reason(plan);
  if (!why.empty()) throw std::invalid_argument("plan: " + why);
  std::string options;
  for (const auto& [name, value] : plan.defines) {
    options += "-D" + name + "=" + std::to_string(value) + " ";
  }
  for (const std::string& flag : plan.flags) options += flag + " ";
  if (!options.empty()) options.pop_back();
  return options;
}

std::uint64_t global_for(const Launch& launch, std::int64_t m) {
  const auto& [rows, groups] = launch.row_groups;
  if (rows == 0) return launch.global[0];
  return static_cast<std::uint64_t>((m + rows - 1) / rows * groups) * launch.local[0];
}

namespace {

bool takes(const LaunchPlan& plan, Role role) {
  return std::any_of(plan.launches.begin(), plan.launches.end(), [&](const Launch& launch) {
    return std::any_of(launch.args.begin(), launch.args.end(),
                       [&](const Arg& arg) { return arg.role == role; });
  });
}

}  // namespace

bool places_weights(const LaunchPlan& plan) {
  return takes(plan, Role::off_a) || !joins_weights(plan);
}

bool joins_weights(const LaunchPlan& plan) {
  return takes(plan, Role::weights) || takes_arena(plan);
}

bool takes_arena(const LaunchPlan& plan) { return takes(plan, Role::arena); }

LaunchPlan in_one_buffer(LaunchPlan plan) {
  bool all = !plan.launches.empty() && takes(plan, Role::weights) && takes(plan, Role::off_a);
  for (const Launch& launch : plan.launches) all = all && !launch.native;
  if (!all) return plan;
  for (Launch& launch : plan.launches) {
    std::erase_if(launch.args, [](const Arg& arg) {
      return arg.role == Role::x || arg.role == Role::weights || arg.role == Role::y;
    });
    launch.args.insert(launch.args.begin(), {Role::arena});
  }
  plan.defines.emplace_back("ARENA", 1);
  std::sort(plan.defines.begin(), plan.defines.end());
  return plan;
}

int launch_count(const LaunchPlan& plan) {
  int count = static_cast<int>(plan.launches.size());
  for (const LaunchPlan& part : plan.parts) count += launch_count(part);
  return count;
}

std::string program_key(const LaunchPlan& plan) {
  std::string key = build_options(plan) + '\n' + plan.source;
  for (const LaunchPlan& part : plan.parts) key += '\n' + program_key(part);
  return key;
}

}  // namespace loratune
