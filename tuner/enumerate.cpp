#include "tuner/enumerate.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Parameters `depth` and later are at their smallest values, and that point is allowed.
void descend(const AxisValues& axes, int depth, Config& config,
             const std::function<bool(const Config&)>& allowed,
             const std::function<void(const Config&)>& visit) {
  if (depth == static_cast<int>(axes.size())) return visit(config);
  for (const std::int32_t value : axes[at(depth)]) {
    config[depth] = value;
    // The smallest value leaves the point that is known to be allowed.
    if (value == axes[at(depth)].front() || allowed(config)) {
      descend(axes, depth + 1, config, allowed, visit);
    }
  }
  config[depth] = axes[at(depth)].front();
}

// The place of the value that is the most steps away from every kept value; of two such values, the
// larger one's. -1 where all are kept.
int farthest(const std::vector<std::int32_t>& values, const std::vector<std::int32_t>& kept) {
  int place = -1;
  int most_steps = 0;
  const int size = static_cast<int>(values.size());
  for (int i = 0; i < size; ++i) {
    int steps = size;
    for (int j = 0; j < size; ++j) {
      const bool stays = std::find(kept.begin(), kept.end(), values[at(j)]) != kept.end();
      if (stays) steps = std::min(steps, std::abs(i - j));
    }
    if (steps < most_steps || steps == 0) continue;
    most_steps = steps;
    place = i;
  }
  return place;
}

// A text that is equal for equal plans of one variant and problem. It leaves out the source, which
// is the same in all of them, but for that of parts.
std::string plan_text(const LaunchPlan& plan) {
  std::string text;
  const auto add = [&](auto number) { text += std::to_string(number) + ' '; };
  for (const auto& [name, value] : plan.defines) add(value);
  for (const std::string& flag : plan.flags) text += flag + ' ';
  for (const Packing& packing : {plan.a, plan.b}) {
    add(static_cast<int>(packing.layout));
    add(packing.tile);
  }
  for (const Scratch& scratch : plan.scratch) {
    add(scratch.bytes);
    add(static_cast<int>(scratch.zero));
  }
  for (const Launch& launch : plan.launches) {
    text += launch.kernel + ' ';
    add(launch.dims);
    for (const std::uint64_t size : launch.global) add(size);
    for (const std::uint64_t size : launch.local) add(size);
    for (const Arg& arg : launch.args) {
      add(static_cast<int>(arg.role));
      add(arg.value);
    }
  }
  add(plan.align);
  for (const LaunchPlan& part : plan.parts) text += part.source + plan_text(part);
  return text;
}

}  // namespace

AxisValues axes_of(const SearchSpace& space) {
  AxisValues axes;
  for (const Parameter& parameter : space.parameters) {
    axes.emplace_back(parameter.values.begin(), parameter.values.end());
  }
  return axes;
}

void for_each_allowed(const AxisValues& axes, const std::function<bool(const Config&)>& allowed,
                      const std::function<void(const Config&)>& visit) {
  Config config;
  for (const auto& values : axes) config.push_back(values.front());
  if (allowed(config)) descend(axes, 0, config, allowed, visit);
}

std::vector<Config> allowed_configs(const Variant& variant, const AxisValues& axes,
                                    const Problem& problem, const DeviceInfo& device) {
  std::vector<Config> configs;
  if (!variant.supports(problem, device)) return configs;
  for_each_allowed(
      axes, [&](const Config& config) { return variant.space.constraint(config, problem, device); },
      [&](const Config& config) { configs.push_back(config); });
  return configs;
}

AxisValues thinned_axes(const Variant& variant, std::span<const Problem> problems,
                        const DeviceInfo& device, int most) {
  AxisValues axes = axes_of(variant.space);
  AxisValues kept(axes.size());
  for (const Problem& problem : problems) {
    if (!variant.supports(problem, device)) continue;
    const Config config = variant.default_config(problem, device);
    for (int i = 0; i < config.size(); ++i) kept[at(i)].push_back(config[i]);
  }
  const auto too_many = [&] {
    return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
      const auto configs = allowed_configs(variant, axes, problem, device);
      // Comparing plans is costly, so far too many configs are refused by their number alone.
      return static_cast<int>(configs.size()) > 16 * most ||
             static_cast<int>(distinct_configs(variant, configs, problem, device).size()) > most;
    });
  };
  while (too_many()) {
    std::size_t longest = axes.size();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const bool longer = longest == axes.size() || axes[i].size() > axes[longest].size();
      if (longer && farthest(axes[i], kept[i]) >= 0) longest = i;
    }
    if (longest == axes.size()) break;
    const int place = farthest(axes[longest], kept[longest]);
    axes[longest].erase(axes[longest].begin() + place);
  }
  return axes;
}

std::vector<Config> distinct_configs(const Variant& variant, const std::vector<Config>& configs,
                                     const Problem& problem, const DeviceInfo& device) {
  std::vector<Config> distinct;
  std::map<std::string, std::size_t> first;
  for (const Config& config : configs) {
    if (first.emplace(plan_text(variant.plan(problem, config, device)), distinct.size()).second) {
      distinct.push_back(config);
    }
  }
  return distinct;
}

}  // namespace loratune
