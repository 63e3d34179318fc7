#include "harness/sweep_plan.h"

#include <algorithm>
#include <map>

#include "dispatch/default_choice.h"
#include "tuner/enumerate.h"

namespace loratune {
namespace {

constexpr std::size_t kPortion = 3;  // problems; more of them share more programs

// The problems of each group, groups in the order in which they first come up.
std::vector<std::pair<std::string, std::vector<Problem>>> group_problems(
    const std::vector<Problem>& problems) {
  std::vector<std::pair<std::string, std::vector<Problem>>> groups;
  for (const Problem& problem : problems) {
    const std::string key = group_key(problem);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(problem);
  }
  return groups;
}

// Which parameters are no part of the program: only work sizes and arguments depend on them.
std::vector<bool> run_time_parameters(const Variant& variant, const Problem& problem,
                                      const DeviceInfo& device) {
  const auto key = [&](const Config& config) {
    return program_key(variant.plan(problem, config, device));
  };
  const Config start = variant.default_config(problem, device);
  const std::string same = key(start);
  std::vector<bool> run_time;
  for (int i = 0; i < start.size(); ++i) {
    // Shown by other values that are allowed; where there is none, it may well be part of it.
    bool shown = false;
    bool differs = false;
    for (const std::int32_t value : variant.space.parameters[static_cast<std::size_t>(i)].values) {
      Config config = start;
      config[i] = value;
      if (value == start[i] || !variant.space.constraint(config, problem, device)) continue;
      shown = true;
      differs = differs || key(config) != same;
    }
    run_time.push_back(shown && !differs);
  }
  return run_time;
}

}  // namespace

std::string group_key(const Problem& p) {
  return std::string(to_string(p.op)) + "_r" + std::to_string(p.rank) + "_" +
         std::string(to_string(p.dtype)) + (p.accumulate ? "_acc" : "_set");
}

std::vector<Problem> shard_of(const std::vector<Problem>& problems, int shard, int shards) {
  const auto end_of = [&](int part) {
    return problems.size() * static_cast<std::size_t>(part) / static_cast<std::size_t>(shards);
  };
  std::vector<Problem> part;
  std::size_t at = 0;
  for (const auto& [key, group] : group_problems(problems)) {
    for (const Problem& problem : group) {
      if (end_of(shard - 1) <= at && at < end_of(shard)) part.push_back(problem);
      ++at;
    }
  }
  return part;
}

std::vector<std::vector<Problem>> portions_of(const std::vector<Problem>& problems) {
  std::vector<std::vector<Problem>> portions;
  for (const auto& [key, group] : group_problems(problems)) {
    for (std::size_t at = 0; at < group.size(); ++at) {
      if (at % kPortion == 0) portions.emplace_back();
      portions.back().push_back(group[at]);
    }
  }
  return portions;
}

std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device) {
  std::vector<Group> groups;
  for (const auto& [key, problems] : group_problems(options.problems)) {
    groups.push_back({key, {}});
    for (const Problem& problem : problems) {
      const Choice choice = default_choice(problem, device);
      const auto at = std::find(options.problems.begin(), options.problems.end(), problem);
      const auto i = static_cast<std::size_t>(at - options.problems.begin());
      groups.back().problems.push_back({problem,
                                        {{choice.variant, choice.config}},
                                        options.weights.empty() ? 1 : options.weights[i]});
    }
  }
  return groups;
}

std::vector<SpacePoint> search_space(std::span<const Variant* const> variants,
                                     const Problem& problem, const DeviceInfo& device) {
  std::vector<SpacePoint> space;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    const Variant& variant = *variants[v];
    for (const Config& config : allowed_configs(variant, axes_of(variant.space), problem, device)) {
      space.push_back({static_cast<int>(v), config});
    }
  }
  return space;
}

std::vector<std::size_t> first_points(std::span<const Variant* const> variants,
                                      std::span<const SpacePoint> space, const Problem& problem,
                                      const DeviceInfo& device, std::span<const Known> known) {
  std::vector<std::size_t> points;
  const auto add = [&](std::size_t point) {
    if (point < space.size() && std::find(points.begin(), points.end(), point) == points.end()) {
      points.push_back(point);
    }
  };
  for (std::size_t v = 0; v < variants.size(); ++v) {
    if (!variants[v]->supports(problem, device)) continue;
    const SpacePoint start{static_cast<int>(v), variants[v]->default_config(problem, device)};
    add(static_cast<std::size_t>(std::find(space.begin(), space.end(), start) - space.begin()));
  }
  std::vector<Found> found;
  for (const Known& one : known) {
    const auto variant = std::find(variants.begin(), variants.end(), one.choice.variant);
    if (variant == variants.end()) continue;
    const SpacePoint point{static_cast<int>(variant - variants.begin()), one.choice.config};
    const auto same = std::find_if(found.begin(), found.end(),
                                   [&](const Found& f) { return f.problem == one.problem; });
    if (same == found.end()) {
      found.push_back({one.problem, {point}});
    } else {
      same->best.push_back(point);
    }
  }
  for (const std::size_t point : warm_start(problem, space, found)) add(point);
  return points;
}

std::vector<std::size_t> programs_of(std::span<const Variant* const> variants,
                                     std::span<const SpacePoint> space, const Problem& problem,
                                     const DeviceInfo& device) {
  std::vector<std::vector<bool>> run_time;
  for (const Variant* variant : variants) {
    run_time.push_back(variant->supports(problem, device)
                           ? run_time_parameters(*variant, problem, device)
                           : std::vector<bool>{});
  }
  std::map<std::vector<std::int32_t>, std::size_t> numbers;
  std::vector<std::size_t> programs;
  for (const SpacePoint& point : space) {
    std::vector<std::int32_t> values = {point.variant};
    const auto& left_out = run_time[static_cast<std::size_t>(point.variant)];
    for (int i = 0; i < point.config.size(); ++i) {
      if (!left_out[static_cast<std::size_t>(i)]) values.push_back(point.config[i]);
    }
    programs.push_back(numbers.emplace(std::move(values), numbers.size()).first->second);
  }
  return programs;
}

}  // namespace loratune
